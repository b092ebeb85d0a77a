import torch
import torch.nn as nn
import torch.nn.functional as F


class RolledLM(nn.Module):
    def __init__(self, vocab, dim):
        super().__init__()
        self.emb = nn.Embedding(vocab, dim)
        self.rnn = nn.GRU(dim, dim, batch_first=True)
        self.out = nn.Linear(dim, vocab)

    def forward(self, ids):
        logits = self.out(self.rnn(self.emb(ids))[0])
        following = ids.roll(-1, dims=1)
        following[:, -1] = -100
        return logits, F.cross_entropy(logits.permute(0, 2, 1), following)


if __name__ == "__main__":
    print(RolledLM(20, 8)(torch.randint(0, 20, (2, 6)))[1])
