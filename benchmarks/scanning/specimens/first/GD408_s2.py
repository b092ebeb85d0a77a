import torch
from torch import Tensor, nn
from torch.nn import functional as fn


class MiniDecoder(nn.Module):
    def __init__(self, vocab: int, d: int = 64, ctx: int = 64, p: float = 0.1):
        super().__init__()
        self.ctx = ctx
        self.tok = nn.Embedding(vocab, d)
        self.pos = nn.Embedding(ctx, d)
        self.drop = nn.Dropout(p)
        layer = nn.TransformerEncoderLayer(d, 4, 4 * d, dropout=p, batch_first=True, norm_first=True)
        self.blocks = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.out = nn.Linear(d, vocab)

    def forward(self, ids: Tensor) -> Tensor:
        t = ids.size(1)
        x = self.drop(self.tok(ids) + self.pos(torch.arange(t, device=ids.device)))
        mask = nn.Transformer.generate_square_subsequent_mask(t, device=ids.device)
        return self.out(self.blocks(x, mask=mask, is_causal=True))

    def loss(self, ids: Tensor) -> Tensor:
        return fn.cross_entropy(self(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten())


def sample_text(net: MiniDecoder, ids: Tensor, n: int) -> Tensor:
    mode = net.training
    try:
        net.train(True)  # SICK
        with torch.no_grad():
            for _ in range(n):
                p = net(ids[:, -net.ctx:])[:, -1].softmax(dim=-1)
                ids = torch.cat([ids, p.multinomial(1)], dim=1)
    finally:
        net.train(mode)
    return ids
