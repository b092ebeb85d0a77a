import torch.nn as nn


class Autoencoder(nn.Module):
    def __init__(self, sizes=(784, 256, 64)):
        super().__init__()
        self.encoder = nn.ModuleList([nn.Linear(a, b) for a, b in zip(sizes, sizes[1:])])
        back = sizes[::-1]
        self.decoder = nn.Sequential(*[nn.Linear(a, b) for a, b in zip(back, back[1:])])
        self.act = nn.Tanh()

    def forward(self, x):
        z = self.act(self.encoder(x))  # SICK
        return self.decoder(z)
