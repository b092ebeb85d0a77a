import torch
from torch import Tensor, nn
import torch.nn.functional as F


class GatedConvBlock(nn.Module):
    def __init__(self, channels: int, kernel_size: int, dilation: int):
        super().__init__()
        self.pad = (kernel_size - 1) * dilation
        self.conv = nn.Conv1d(channels, 2 * channels, kernel_size, dilation=dilation)
        self.norm = nn.LayerNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        h = self.norm(x).transpose(1, 2)
        h = F.pad(h, (self.pad, 0))
        h = F.glu(self.conv(h), dim=1)
        return x + h.transpose(1, 2)


class GatedConvLM(nn.Module):
    """Causal gated convolutional language model (Dauphin et al.)."""

    def __init__(self, vocab_size: int, channels: int = 128, kernel_size: int = 3, dilations: tuple[int, ...] = (1, 2, 4, 8)):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, channels)
        self.blocks = nn.ModuleList(GatedConvBlock(channels, kernel_size, d) for d in dilations)
        self.out = nn.Linear(channels, vocab_size)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embed(tokens)
        for block in self.blocks:
            x = block(x)
        return self.out(x)

    def loss(self, tokens: Tensor) -> Tensor:
        logits = self(tokens[:, :-1])
        return F.cross_entropy(logits.transpose(1, 2), tokens[:, 1:])
