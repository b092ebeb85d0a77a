import torch
import torch.nn as nn
import torch.nn.functional as F


class TNet(nn.Module):
    def __init__(self, k):
        super().__init__()
        self.k = k
        self.mlp = nn.Sequential(
            nn.Conv1d(k, 64, 1), nn.BatchNorm1d(64), nn.ReLU(), nn.Conv1d(64, 128, 1), nn.BatchNorm1d(128), nn.ReLU()
        )
        self.fc = nn.Sequential(nn.Linear(128, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, k * k))

    def forward(self, x):
        h = self.mlp(x).max(dim=2)[0]
        iden = torch.eye(self.k, device=x.device).flatten()
        return (self.fc(h) + iden).view(-1, self.k, self.k)


class PointNetCls(nn.Module):
    def __init__(self, num_class=40, normal_channel=True):
        super().__init__()
        channel = 6 if normal_channel else 3
        self.stn = TNet(channel)
        self.conv1 = nn.Conv1d(channel, 64, 1)
        self.fstn = TNet(64)
        self.conv2 = nn.Conv1d(64, 256, 1)
        self.bn1, self.bn2 = nn.BatchNorm1d(64), nn.BatchNorm1d(256)
        self.head = nn.Sequential(nn.Linear(256, 128), nn.BatchNorm1d(128), nn.ReLU(), nn.Dropout(0.4), nn.Linear(128, num_class))

    def forward(self, x):
        # x: B, C, N
        trans = self.stn(x)
        x = torch.bmm(x.transpose(2, 1), trans).transpose(2, 1)
        x = F.relu(self.bn1(self.conv1(x)))
        trans_feat = self.fstn(x)
        x = torch.bmm(x.transpose(2, 1), trans_feat).transpose(2, 1)
        x = self.bn2(self.conv2(x)).max(dim=2)[0]
        return F.log_softmax(self.head(x), dim=-1), trans_feat


def get_loss(pred, target, trans_feat, scale=0.001):
    I = torch.eye(trans_feat.size(1), device=trans_feat.device)
    reg = torch.norm(torch.bmm(trans_feat, trans_feat.transpose(2, 1)) - I, dim=(1, 2)).mean()
    return F.nll_loss(pred, target) + scale * reg
