import torch
from torch import nn


class OneHotGRU(nn.Module):
    def __init__(self, vocab, dim):
        super().__init__()
        self.vocab = vocab
        self.emb = nn.Embedding(vocab, dim)
        self.gru = nn.GRU(dim, dim, batch_first=True)
        self.head = nn.Linear(dim, vocab)

    def smooth(self, y, eps=0.1):
        q = torch.full((*y.shape, self.vocab), eps / (self.vocab - 1), device=y.device)
        return q.scatter_(-1, y.unsqueeze(-1), 1.0 - eps)

    def forward(self, ids, y=None):
        logits = self.head(self.gru(self.emb(ids))[0])
        if y is None:
            return logits
        q = self.smooth(y)
        guesses = logits.argmax(-1)
        stats = {"acc": (guesses == y).float().mean().item()}
        return logits, -(q * logits.log_softmax(-1)).sum(-1).mean(), stats


if __name__ == "__main__":
    m = OneHotGRU(30, 16)
    t = torch.randint(0, 30, (3, 9))
    print(m(t[:, :-1], t[:, 1:])[1:])
