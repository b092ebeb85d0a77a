import torch
import torch.nn.functional as F
from torch import nn


class LitClassifier(nn.Module):
    def __init__(self, backbone: nn.Module, width: int, n_classes: int, lr: float = 1e-3):
        super().__init__()
        self.backbone = backbone
        self.fc = nn.Linear(width, n_classes)
        self.lr = lr
        self.logged = {}

    def log(self, name, value):
        self.logged.setdefault(name, []).append(float(value))

    def forward(self, x):
        return self.fc(self.backbone(x))

    def training_step(self, batch, batch_idx):  # SICK
        x, y = batch
        loss = F.cross_entropy(self(x), y)
        self.log("train_loss", loss)

    def validation_step(self, batch, batch_idx):
        x, y = batch
        self.log("val_loss", F.cross_entropy(self(x), y))

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=self.lr)
