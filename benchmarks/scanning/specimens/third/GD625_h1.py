import torch
import torch.nn as nn
import torch.nn.functional as F


class CTRLoss(nn.Module):
    def __init__(self, pos_weight=None):
        super().__init__()
        self.register_buffer("pos_weight", pos_weight)

    def forward(self, labels, logits):
        return F.binary_cross_entropy_with_logits(target=labels, input=logits, pos_weight=self.pos_weight)


class DeepCTR(nn.Module):
    def __init__(self, n_items, dim=16):
        super().__init__()
        self.emb = nn.Embedding(n_items, dim)
        self.mlp = nn.Sequential(nn.Linear(2 * dim, 32), nn.ReLU(), nn.Linear(32, 1))

    def forward(self, pair):
        return self.mlp(self.emb(pair).flatten(1)).squeeze(-1)


def step(model, opt, pair, clicked, dwell):
    loss_fn = CTRLoss(torch.tensor(3.0))
    logits = model(pair)
    loss = loss_fn(clicked, logits) + 0.1 * F.mse_loss(logits.sigmoid(), dwell)
    opt.zero_grad()
    loss.backward()
    opt.step()
    return loss.item()
