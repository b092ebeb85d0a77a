import numpy as np
import torch
import torch.nn as nn


class SpectralNet(nn.Module):
    def __init__(self, channels=32, n_classes=6, length=256):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv1d(1, channels, 7, padding=3), nn.BatchNorm1d(channels), nn.ReLU())
        bins = length // 2 + 1
        self.classify = nn.Sequential(nn.Linear(channels * bins, 128), nn.ReLU(), nn.Linear(128, n_classes))

    def forward(self, wave):
        feats = self.stem(wave.unsqueeze(1))
        spectrum = np.abs(np.fft.rfft(feats.detach().cpu().numpy(), axis=-1))  # SICK
        spectrum = torch.from_numpy(spectrum).to(feats)
        return self.classify(torch.log1p(spectrum).flatten(1))
