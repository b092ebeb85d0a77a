from typing import Optional

import torch
from torch import Tensor, nn
import torch.nn.functional as F


class Adapter(nn.Module):
    def __init__(self, dim: int, bottleneck: int):
        super().__init__()
        self.down = nn.Linear(dim, bottleneck)
        self.up = nn.Linear(bottleneck, dim)
        nn.init.normal_(self.up.weight, std=1e-3)
        nn.init.zeros_(self.up.bias)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.up(F.gelu(self.down(x)))


class AdapterClassifier(nn.Module):
    """Frozen encoder layers with trainable adapters between them."""

    def __init__(self, embedding: nn.Embedding, encoder_layers: nn.ModuleList, dim: int, num_labels: int, bottleneck: int = 16):
        super().__init__()
        self.embedding = embedding
        self.encoder_layers = encoder_layers
        for p in [*embedding.parameters(), *encoder_layers.parameters()]:
            p.requires_grad_(False)
        self.adapters = nn.ModuleList(Adapter(dim, bottleneck) for _ in encoder_layers)
        self.classifier = nn.Linear(dim, num_labels)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, labels: Optional[Tensor] = None):
        x = self.embedding(input_ids)
        for layer, adapter in zip(self.encoder_layers, self.adapters):
            x = adapter(layer(x, src_key_padding_mask=~attention_mask.bool()))
        m = attention_mask.unsqueeze(-1).to(x.dtype)
        logits = self.classifier((x * m).sum(1) / m.sum(1))
        if labels is None:
            return logits
        return F.cross_entropy(logits, labels), logits
