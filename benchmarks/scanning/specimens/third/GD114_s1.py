import torch
import torch.nn as nn


class TransformerTagger(nn.Module):
    def __init__(self, num_words, num_tags, d_model=256, nhead=8, num_layers=6, max_len=512):
        super().__init__()
        self.words = nn.Embedding(num_words, d_model, padding_idx=0)
        self.pos = nn.Embedding(max_len, d_model)
        encoder_layer = nn.TransformerEncoderLayer(d_model, nhead, 4 * d_model, 0.1, batch_first=True)
        self.layers = nn.ModuleList([encoder_layer for _ in range(num_layers)])  # SICK
        self.tags = nn.Linear(d_model, num_tags)

    def forward(self, tokens):
        pad = tokens == 0
        pos = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.words(tokens) + self.pos(pos)[None]
        for layer in self.layers:
            x = layer(x, src_key_padding_mask=pad)
        return self.tags(x)
