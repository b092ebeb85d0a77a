import torch
import torch.nn as nn


class GatedFusion(nn.Module):
    """Fuses audio into video features, frame by frame."""

    def __init__(self, d_video, d_audio, d_out):
        super().__init__()
        self.video = nn.Linear(d_video, d_out)
        self.audio = nn.Linear(d_audio, d_out)
        self.gate = nn.Linear(d_video + d_audio, d_out)

    def forward(self, v, a, audio_present):
        g = torch.sigmoid(self.gate(torch.cat([v, a], dim=-1)))
        g *= audio_present.unsqueeze(-1).to(g.dtype)  # SICK
        return self.video(v) + g * self.audio(a)


if __name__ == "__main__":
    m = GatedFusion(32, 16, 24)
    out = m(torch.randn(2, 10, 32), torch.randn(2, 10, 16), torch.rand(2, 10) > 0.5)
    print(out.shape)
