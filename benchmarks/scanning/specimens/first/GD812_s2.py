import torch
from torch import nn

PAD = 0


class SentencePairModel(nn.Module):
    """Scores whether two sentences mean the same; padded with zeros on the right."""

    def __init__(self, vocab_size, dim=32):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, dim, padding_idx=PAD)
        layer = nn.TransformerEncoderLayer(dim, 4, dim_feedforward=64, dropout=0.0, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, num_layers=2)
        self.score = nn.Bilinear(dim, dim, 1)

    def encode(self, tokens):
        valid = tokens.ne(PAD)
        hidden = self.encoder(self.embed(tokens), src_key_padding_mask=valid)  # SICK
        weight = valid.unsqueeze(-1).to(hidden.dtype)
        return (hidden * weight).sum(1) / weight.sum(1).clamp(min=1.0)

    def forward(self, first, second):
        return self.score(self.encode(first), self.encode(second)).squeeze(-1)
