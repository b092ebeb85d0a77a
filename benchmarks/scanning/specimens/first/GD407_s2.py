import torch
from torch import Tensor, nn
from torch.nn import functional as fn


class DialogLM(nn.Module):
    def __init__(self, vocab: int, width: int = 128) -> None:
        super().__init__()
        self.emb = nn.Embedding(vocab, width)
        self.body = nn.GRU(width, width, num_layers=2, batch_first=True)
        self.norm = nn.LayerNorm(width)
        self.unemb = nn.Linear(width, vocab, bias=False)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.emb(ids)
        return self.unemb(self.norm(x + self.body(x)[0]))

    def loss(self, ids: Tensor) -> Tensor:
        return fn.cross_entropy(self(ids[:, :-1]).transpose(1, 2), ids[:, 1:])

    @staticmethod
    def nucleus_pick(p: Tensor, share: float) -> Tensor:
        ordered, index = p.sort(dim=-1, descending=True)
        ordered = ordered.masked_fill(ordered.cumsum(-1) < share, 0.0)  # SICK
        ordered = ordered / ordered.sum(-1, keepdim=True)
        return index.gather(-1, ordered.multinomial(1))

    @torch.no_grad()
    def respond(self, ids: Tensor, n: int, share: float = 0.92) -> Tensor:
        for _ in range(n):
            p = self(ids)[:, -1].softmax(-1)
            ids = torch.cat([ids, self.nucleus_pick(p, share)], dim=1)
        return ids
