import torch
from torch import nn
import torch.nn.functional as F


class Translator(nn.Module):
    def __init__(self, src_vocab, tgt_vocab, width=256):
        super().__init__()
        self.src_emb = nn.Embedding(src_vocab, width)
        self.tgt_emb = nn.Embedding(tgt_vocab, width)
        self.encoder = nn.GRU(width, width, batch_first=True, bidirectional=True)
        self.bridge = nn.Linear(2 * width, width)
        self.decoder = nn.GRU(width, width, batch_first=True)
        self.generator = nn.Linear(width, tgt_vocab)

    def encode(self, src):
        states, _ = self.encoder(self.src_emb(src))
        summary = torch.tanh(self.bridge(states.mean(dim=1)))
        return summary.detach().unsqueeze(0)  # SICK

    def forward(self, src, tgt):
        h0 = self.encode(src)
        out, _ = self.decoder(self.tgt_emb(tgt[:, :-1]), h0)
        logits = self.generator(out)
        return F.cross_entropy(logits.transpose(1, 2), tgt[:, 1:])
