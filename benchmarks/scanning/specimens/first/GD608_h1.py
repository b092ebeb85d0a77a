import torch
from torch import nn


class Denoiser(nn.Module):
    def __init__(self, dim, n_labels):
        super().__init__()
        self.label_emb = nn.Embedding(n_labels, dim)
        self.net = nn.Sequential(nn.Linear(2 * dim, 4 * dim), nn.SiLU(), nn.Linear(4 * dim, dim))

    def forward(self, x, labels):
        return self.net(torch.cat([x, self.label_emb(labels)], dim=-1))

    def training_step(self, batch, batch_idx):
        clean, labels = batch
        noise = torch.randn_like(clean)
        return (self(clean + noise, labels) - noise).pow(2).mean()
