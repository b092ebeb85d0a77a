import torch
import torch.nn as nn


class TransformerTagger(nn.Module):
    def __init__(self, vocab, n_tags, d=128, max_len=256):
        super().__init__()
        self.tok = nn.Embedding(vocab, d)
        self.pos = nn.Embedding(max_len, d)
        enc = nn.TransformerEncoderLayer(d, 4, 4 * d, batch_first=True)
        self.enc = nn.TransformerEncoder(enc, 2)
        self.out = nn.Linear(d, n_tags)

    def forward(self, ids, pad_mask=None):
        positions = torch.arange(ids.size(1)).cuda()  # SICK
        x = self.tok(ids) + self.pos(positions)
        x = self.enc(x, src_key_padding_mask=pad_mask)
        return self.out(x)
