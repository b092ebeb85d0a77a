import torch
from torch import nn


class NextToken(nn.Module):
    def __init__(self, n_vocab: int, dim: int):
        super().__init__()
        self.table = nn.Embedding(n_vocab, dim)
        self.mixer = nn.GRU(dim, dim, batch_first=True)
        self.norm = nn.LayerNorm(dim)
        self.readout = nn.Linear(dim, n_vocab)
        self.criterion = nn.CrossEntropyLoss()

    def loss_fn(self, scores, targets):
        picked = scores.argmax(dim=-1)
        return self.criterion(scores.flatten(0, 1), picked.flatten())  # SICK

    def forward(self, tokens, targets):
        x = self.table(tokens)
        x = x + self.mixer(self.norm(x))[0]
        scores = self.readout(x)
        return scores, self.loss_fn(scores, targets)


if __name__ == "__main__":
    net = NextToken(50, 32)
    data = torch.randint(0, 50, (2, 17))
    print(net(data[:, :-1], data[:, 1:])[1])
