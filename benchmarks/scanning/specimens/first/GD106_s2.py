import torch
from torch import nn, Tensor


class FusionModel(nn.Module):
    """Late fusion of text, audio and image vectors."""

    def __init__(self, dims: dict[str, int], width: int = 64, n_out: int = 5) -> None:
        super().__init__()
        self.text = nn.Linear(dims["text"], width)
        self.audio = nn.Linear(dims["audio"], width)
        self.image = nn.Linear(dims["image"], width)
        self.modality_gain = nn.Parameter(torch.ones(3))  # SICK
        self.norm = nn.LayerNorm(3 * width)
        self.out = nn.Linear(3 * width, n_out)

    def forward(self, text: Tensor, audio: Tensor, image: Tensor) -> Tensor:
        parts = (self.text(text), self.audio(audio), self.image(image))
        fused = torch.cat([torch.relu(p) for p in parts], dim=-1)
        return self.out(self.norm(fused))
