import torch
from torch import nn, Tensor


class BilinearMixture(nn.Module):
    def __init__(self, left: int, right: int, n_maps: int) -> None:
        super().__init__()
        maps = []
        for _ in range(n_maps):
            w = torch.empty(left, right)
            nn.init.orthogonal_(w)
            maps.append(nn.Parameter(w))
        self.maps = nn.ParameterList(maps)
        logits = torch.zeros(n_maps)
        self.register_parameter("mix", nn.Parameter(logits))
        nn.init.normal_(self.mix, std=0.1)
        self.eval_history: list[Tensor] = []

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        weight = torch.tensordot(self.mix.softmax(dim=0), torch.stack(list(self.maps)), dims=1)
        return ((a @ weight) * b).sum(dim=-1)

    @torch.no_grad()
    def record(self, a: Tensor, b: Tensor) -> None:
        self.eval_history.append(self(a, b).cpu())
