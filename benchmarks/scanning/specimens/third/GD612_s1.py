import torch
from torch import nn, optim


class Autoencoder(nn.Module):
    def __init__(self, n=784, z=32):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(n, 128), nn.ReLU(), nn.Linear(128, z))
        self.decoder = nn.Sequential(nn.Linear(z, 128), nn.ReLU(), nn.Linear(128, n), nn.Sigmoid())

    def forward(self, x):
        return self.decoder(self.encoder(x))


def train_autoencoder(dataloader, num_epochs=10, device="cpu"):
    ae = Autoencoder().to(device)
    optimizer = optim.RMSprop(ae.parameters(), lr=1e-3)
    criterion = nn.BCELoss()
    ae.train()
    for epoch in range(num_epochs):
        for images, _ in dataloader:
            images = images.view(images.size(0), -1).to(device)
            recon = ae(images)
            loss = criterion(recon, images)
            optimizer.step()  # SICK
            optimizer.zero_grad()
            loss.backward()
        print("epoch", epoch, "loss", loss.item())
    return ae
