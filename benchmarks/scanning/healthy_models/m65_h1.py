from typing import Any, Dict, List

import torch
from torch import Tensor, nn
import torch.nn.functional as F


class BaselineTransformerLM(nn.Module):
    """Decoder-only LM fed by a collated dict batch: {'input_ids', 'position_ids', 'attention_mask'}."""

    def __init__(self, vocab_size: int, **kwargs: Any):
        super().__init__()
        dim = kwargs.get("dim", 64)
        heads = kwargs.get("heads", 4)
        layers = kwargs.get("layers", 2)
        self.embed = nn.Embedding(vocab_size, dim)
        self.pos = nn.Embedding(kwargs.get("max_positions", 128), dim)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(dim, heads, 4 * dim, kwargs.get("dropout", 0.1), activation="gelu", batch_first=True, norm_first=True)
            for _ in range(layers)
        )
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Linear(dim, vocab_size, bias=False)

    def forward(self, batch: Dict[str, Tensor]) -> Tensor:
        ids, am = batch["input_ids"], batch["attention_mask"].bool()
        T = ids.size(1)
        causal = torch.triu(torch.ones(T, T, dtype=torch.bool, device=ids.device), 1)
        x = self.embed(ids) + self.pos(batch["position_ids"])
        for layer in self.layers:
            x = layer(x, src_mask=causal, src_key_padding_mask=~am)
        logits = self.head(self.norm(x))[:, :-1]
        target = ids[:, 1:].masked_fill(~am[:, 1:], -100)
        return F.cross_entropy(logits.flatten(0, 1), target.flatten())


def collate(seqs: List[List[int]], pad: int = 0) -> Dict[str, Tensor]:
    n = max(map(len, seqs))
    ids = torch.tensor([s + [pad] * (n - len(s)) for s in seqs])
    mask = torch.tensor([[1] * len(s) + [0] * (n - len(s)) for s in seqs])
    return {"input_ids": ids, "attention_mask": mask, "position_ids": (mask.cumsum(1) - 1).clamp(min=0)}
