import torch
import torch.nn as nn
import torch.nn.functional as F


class BYOL:
    def __init__(self, online, target, predictor, tau=0.99):
        self.online, self.target, self.predictor = online, target, predictor
        self.target.load_state_dict(online.state_dict())
        self.tau = tau
        self.opt = torch.optim.SGD([*online.parameters(), *predictor.parameters()], lr=0.05)

    @torch.no_grad()
    def update_target(self):
        for t, o in zip(self.target.parameters(), self.online.parameters()):
            t.mul_(self.tau).add_(o, alpha=1 - self.tau)

    @torch.no_grad()
    def targets(self, view):
        return F.normalize(self.target(view), dim=-1)

    def step(self, v1, v2):
        p = F.normalize(self.predictor(self.online(v1)), dim=-1)
        with torch.no_grad():
            z = self.targets(v2)
        loss = (2 - 2 * (p * z).sum(-1)).mean()
        self.opt.zero_grad()
        loss.backward()
        self.opt.step()
        self.update_target()
        return loss.item()


if __name__ == "__main__":
    b = BYOL(nn.Linear(6, 4), nn.Linear(6, 4), nn.Linear(4, 4))
    print(b.step(torch.randn(8, 6), torch.randn(8, 6)))
