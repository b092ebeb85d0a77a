import torch
from torch import nn
from torch.nn import functional as fn


class EventModel(nn.Module):
    def __init__(self, kinds, width=64, heads=4):
        super().__init__()
        self.kinds = nn.Embedding(kinds, width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.norm = nn.LayerNorm(width)
        self.next_kind = nn.Linear(width, kinds)

    def forward(self, events):
        x = self.kinds(events)
        mask = nn.Transformer.generate_square_subsequent_mask(events.size(1), device=events.device)
        mixed, _ = self.attention(x, x, x, attn_mask=mask, is_causal=True, need_weights=False)
        return self.next_kind(self.norm(x + mixed))

    def training_step(self, batch, batch_idx):
        (events,) = batch
        logits = self(events[:, :-1])
        loss = fn.cross_entropy(logits.reshape(-1, logits.size(-1)), events[:, 1:].reshape(-1))
        return loss
