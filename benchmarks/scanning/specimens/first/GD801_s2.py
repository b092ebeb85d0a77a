from torch import Tensor, nn
from torch.nn import functional as fn


class GatedConv(nn.Module):
    def __init__(self, channels: int, kernel: int = 5):
        super().__init__()
        self.conv = nn.Conv1d(channels, 2 * channels, kernel, padding=kernel // 2)  # SICK

    def forward(self, x: Tensor) -> Tensor:
        return x + fn.glu(self.conv(x), dim=1)


class CharConvLM(nn.Module):
    """Character-level gated convolutional language model."""

    def __init__(self, n_chars: int, channels: int = 96, layers: int = 4):
        super().__init__()
        self.embed = nn.Embedding(n_chars, channels)
        self.convs = nn.Sequential(*[GatedConv(channels) for _ in range(layers)])
        self.to_chars = nn.Linear(channels, n_chars)

    def forward(self, chars: Tensor) -> Tensor:
        h = self.embed(chars).transpose(1, 2)
        h = self.convs(h)
        return self.to_chars(h.transpose(1, 2))

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        logits = self(batch[:, :-1])
        return fn.cross_entropy(logits.transpose(1, 2), batch[:, 1:])
