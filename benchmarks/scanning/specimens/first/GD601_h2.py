from typing import NamedTuple, Optional

import torch
from torch import nn, Tensor


class LMOutput(NamedTuple):
    logits: Tensor
    cost: Optional[Tensor]


class MiniLM(nn.Module):
    def __init__(self, vocab=1000, d=128, ctx=64):
        super().__init__()
        self.tok = nn.Embedding(vocab, d)
        self.pos = nn.Parameter(torch.randn(ctx, d) * 0.02)
        block = nn.TransformerEncoderLayer(d, 4, 4 * d, batch_first=True, norm_first=True)
        self.enc = nn.TransformerEncoder(block, 3, norm=nn.LayerNorm(d), enable_nested_tensor=False)
        self.unembed = nn.Linear(d, vocab)

    def forward(self, ids: Tensor, next_ids: Optional[Tensor] = None) -> LMOutput:
        T = ids.shape[1]
        mask = nn.Transformer.generate_square_subsequent_mask(T, device=ids.device)
        x = self.enc(self.tok(ids) + self.pos[:T], mask=mask, is_causal=True)
        logits = self.unembed(x)
        cost = None
        if next_ids is not None:
            logp = logits.log_softmax(-1)
            cost = -logp.gather(-1, next_ids.unsqueeze(-1)).mean()
        return LMOutput(logits, cost)
