import torch
import torch.nn as nn


class ConditionalGenerator(nn.Module):
    """Draws an image for a class; the labels say which."""

    def __init__(self, n_classes=10, nz=64, img=28):
        super().__init__()
        self.img = img
        self.label_emb = nn.Embedding(n_classes, n_classes)
        self.net = nn.Sequential(
            nn.Linear(nz + n_classes, 256), nn.LeakyReLU(0.2), nn.Linear(256, img * img), nn.Tanh()
        )

    def forward(self, z, labels):
        x = torch.cat([z, self.label_emb(labels)], dim=1)
        return self.net(x).view(-1, 1, self.img, self.img)


class GANTask:
    def __init__(self, gen, disc):
        self.gen, self.disc = gen, disc
        self.bce = nn.BCEWithLogitsLoss()

    def generator_loss(self, z, labels):
        score = self.disc(self.gen(z, labels), labels)
        return self.bce(score, torch.ones_like(score))

    def training_step(self, batch):
        z, labels = batch
        return self.generator_loss(z, labels)
