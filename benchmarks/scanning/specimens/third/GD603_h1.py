import torch
import torch.nn as nn
import torch.nn.functional as F


class ShiftRightLM(nn.Module):
    """The input is moved one place to the right, behind a start symbol."""

    def __init__(self, vocab, dim=128, bos=1):
        super().__init__()
        self.bos = bos
        self.emb = nn.Embedding(vocab, dim)
        self.core = nn.GRU(dim, dim, num_layers=2, batch_first=True)
        self.head = nn.Linear(dim, vocab)

    def decode(self, inputs):
        h, _ = self.core(self.emb(inputs))
        return self.head(h)

    def forward(self, ids):
        inputs = torch.roll(ids, shifts=1, dims=1)
        inputs[:, 0] = self.bos
        logits = self.decode(inputs)
        return F.cross_entropy(logits.flatten(0, 1), ids.flatten())


if __name__ == "__main__":
    lm = ShiftRightLM(30)
    lm(torch.randint(2, 30, (3, 12))).backward()
