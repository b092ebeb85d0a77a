import torch
import torch.nn as nn
import torch.nn.functional as F


class Stream(nn.Module):
    """One long unbatched text: there is a single row."""

    def __init__(self, vocab, dim):
        super().__init__()
        self.embed = nn.Embedding(vocab, dim)
        self.rnn = nn.LSTM(dim, dim)
        self.head = nn.Linear(dim, vocab)

    def forward(self, text):
        out, _ = self.rnn(self.embed(text))
        logits = self.head(out)
        return F.cross_entropy(logits[:-1], text[1:]), logits


if __name__ == "__main__":
    print(Stream(20, 8)(torch.randint(0, 20, (30,)))[0])
