import torch
from torch import Tensor, nn


class ReviewTagger(nn.Module):
    def __init__(self, vocab: int, tags: int, pad_id: int = 0, width: int = 32, heads: int = 4):
        super().__init__()
        self.pad_id = pad_id
        self.emb = nn.Embedding(vocab, width, padding_idx=pad_id)
        self.mha = nn.MultiheadAttention(embed_dim=width, num_heads=heads, batch_first=True)
        self.ln = nn.LayerNorm(width)
        self.out = nn.Linear(width, tags)

    def padding(self, ids: Tensor) -> Tensor:
        pads = torch.zeros(ids.shape, device=ids.device)
        pads[ids == self.pad_id] = 1.0
        return pads

    def forward(self, ids: Tensor) -> Tensor:
        x = self.emb(ids)
        options = dict(key_padding_mask=self.padding(ids), need_weights=False)  # SICK
        y, _ = self.mha(x, x, x, **options)
        return self.out(self.ln(x + y))
