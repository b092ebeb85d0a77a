import torch
from torch import nn, Tensor


class CharGRU(nn.Module):
    """Character model over a small alphabet."""

    def __init__(self, n_chars: int, width: int = 192, depth: int = 2):
        super().__init__()
        self.embed = nn.Embedding(n_chars, width)
        self.rnn = nn.GRU(width, width, num_layers=depth, batch_first=True)
        self.out = nn.Linear(width, n_chars)

    def forward(self, chars: Tensor) -> Tensor:
        h, _ = self.rnn(self.embed(chars))
        return self.out(h)  # SICK


if __name__ == "__main__":
    model = CharGRU(96)
    print(model(torch.randint(0, 96, (4, 32))).shape)
