import torch
import torch.nn as nn


class Seq2SeqEncoder(nn.Module):
    def __init__(self, vocab, dim, hidden):
        super().__init__()
        self.embed = nn.Embedding(vocab, dim, padding_idx=0)
        self.rnn = nn.GRU(dim, hidden, batch_first=True)

    def forward(self, src):
        return self.rnn(self.embed(src))


class Seq2Seq(nn.Module):
    def __init__(self, src_vocab, tgt_vocab, dim=128, hidden=256):
        super().__init__()
        self.encoder = Seq2SeqEncoder(src_vocab, dim, hidden)
        self.tgt_embed = nn.Embedding(tgt_vocab, dim, padding_idx=0)
        self.decoder = nn.GRU(dim, hidden, batch_first=True)
        self.proj = nn.Linear(hidden, tgt_vocab)
        self.criterion = nn.CrossEntropyLoss(ignore_index=0)

    def forward(self, src, tgt):
        _, state = self.encoder.forward(src)  # SICK
        out, _ = self.decoder(self.tgt_embed(tgt[:, :-1]), state)
        logits = self.proj(out)
        loss = self.criterion(logits.reshape(-1, logits.shape[-1]), tgt[:, 1:].reshape(-1))
        return logits, loss
