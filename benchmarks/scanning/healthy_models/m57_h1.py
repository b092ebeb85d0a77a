import torch
import torch.nn as nn
import torch.nn.functional as F


class RankNet(nn.Module):
    def __init__(self, num_features, hidden_sizes):
        super().__init__()
        layers = []
        for h in hidden_sizes:
            layers.extend([nn.Linear(num_features, h), nn.ReLU6()])
            num_features = h
        layers.append(nn.Linear(num_features, 1))
        self.model = nn.Sequential(*layers)

    def forward(self, x, relevance=None, mask=None):
        # x: (n_queries, n_docs, num_features)
        scores = self.model(x).squeeze(-1)
        if relevance is None:
            return scores
        diff = scores.unsqueeze(2) - scores.unsqueeze(1)
        better = relevance.unsqueeze(2) > relevance.unsqueeze(1)
        if mask is not None:
            better = better & mask.unsqueeze(2) & mask.unsqueeze(1)
        loss = (F.softplus(-diff) * better).sum() / better.sum().clamp(min=1)
        return loss, scores
