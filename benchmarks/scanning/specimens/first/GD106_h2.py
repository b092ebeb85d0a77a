import torch
import torch.nn.functional as F
from torch import nn


class SimSiamTrainer(nn.Module):
    """The projector and predictor serve training; inference uses the backbone."""

    def __init__(self, backbone, feat_dim, proj_dim=128):
        super().__init__()
        self.backbone = backbone
        self.projector = nn.Sequential(nn.Linear(feat_dim, proj_dim), nn.BatchNorm1d(proj_dim))
        self.predictor = nn.Sequential(nn.Linear(proj_dim, proj_dim // 4), nn.ReLU(), nn.Linear(proj_dim // 4, proj_dim))

    def forward(self, x):
        return self.backbone(x)

    def training_step(self, batch, batch_idx):
        views, _ = batch
        z1, z2 = (self.projector(self(v)) for v in views)
        p1, p2 = self.predictor(z1), self.predictor(z2)
        return -0.5 * (self._sim(p1, z2) + self._sim(p2, z1))

    @staticmethod
    def _sim(p, z):
        return F.cosine_similarity(p, z.detach(), dim=-1).mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9)
