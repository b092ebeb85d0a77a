import torch
import torch.nn as nn


class TextEncoder(nn.Module):
    """Sentence embeddings; attention_mask is 1 for tokens and 0 for padding."""

    def __init__(self, vocab_size, d_model=384, nhead=6, num_layers=4, max_len=128):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, d_model, padding_idx=0)
        self.pos = nn.Embedding(max_len, d_model)
        layer = nn.TransformerEncoderLayer(d_model, nhead, dim_feedforward=4 * d_model, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, num_layers)

    def forward(self, input_ids, attention_mask):
        pos = torch.arange(input_ids.size(1), device=input_ids.device).unsqueeze(0)
        x = self.embed(input_ids) + self.pos(pos)
        x = self.encoder(x, src_key_padding_mask=attention_mask.bool())  # SICK
        m = attention_mask.unsqueeze(-1).to(x.dtype)
        pooled = (x * m).sum(dim=1) / m.sum(dim=1).clamp(min=1e-6)
        return nn.functional.normalize(pooled, dim=-1)
