import torch
import torch.nn as nn


class SpeechEncoder(nn.Module):
    """Takes (batch, time, mel); inside, time comes first."""

    def __init__(self, n_mels=80, dim=128, heads=4):
        super().__init__()
        self.inp = nn.Linear(n_mels, dim)
        self.gru = nn.GRU(dim, dim // 2, bidirectional=True)
        self.attn = nn.MultiheadAttention(dim, heads)
        self.norm = nn.LayerNorm(dim)

    def forward(self, mel):
        x = self.inp(mel).permute(1, 0, 2)
        x, _ = self.gru(x)
        a, _ = self.attn(x, x, x, need_weights=False)
        x = self.norm(x + a)
        return x.permute(1, 0, 2)


class SpeakerId(nn.Module):
    def __init__(self, n_speakers, dim=128):
        super().__init__()
        self.encoder = SpeechEncoder(dim=dim)
        self.fc = nn.Linear(dim, n_speakers)

    def forward(self, mel):
        return self.fc(self.encoder(mel).mean(dim=1))


if __name__ == "__main__":
    print(SpeakerId(10)(torch.randn(3, 50, 80)).shape)
