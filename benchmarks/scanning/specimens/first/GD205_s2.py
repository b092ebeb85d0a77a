import torch
from torch import nn, Tensor


class TopTwoFFN(nn.Module):
    def __init__(self, width: int, n_experts: int = 6) -> None:
        super().__init__()
        self.score = nn.Linear(width, n_experts, bias=False)
        self.nets = nn.ModuleList(nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width)) for _ in range(n_experts))

    def forward(self, x: Tensor) -> Tensor:
        flat = x.reshape(-1, x.size(-1))
        values, picks = torch.topk(self.score(flat), k=2, dim=1)
        answers = torch.stack([net(flat) for net in self.nets], dim=1)  # SICK
        where = picks.unsqueeze(-1).expand(-1, -1, x.size(-1))
        picked = answers.gather(1, where)
        mixed = torch.sum(picked * values.softmax(dim=1).unsqueeze(-1), dim=1)
        return x + mixed.view_as(x)
