import torch
from torch import nn, Tensor


class MoCoQueue(nn.Module):
    def __init__(self, encoder: nn.Module, dim: int, size: int = 4096, tau: float = 0.07) -> None:
        super().__init__()
        self.encoder = encoder
        self.tau = tau
        self.register_buffer("queue", nn.functional.normalize(torch.randn(size, dim), dim=1))

    def forward(self, query: Tensor, key: Tensor) -> Tensor:
        q = nn.functional.normalize(self.encoder(query), dim=1)
        k = nn.functional.normalize(key, dim=1).to(q)
        positive = (q * k).sum(1, keepdim=True)
        negative = q @ self.queue.t()
        logits = torch.cat([positive, negative], dim=1) / self.tau
        target = torch.zeros(len(q), dtype=torch.long, device=logits.device)
        with torch.autocast(device_type=logits.device.type, enabled=False):
            return nn.functional.cross_entropy(logits.float(), target)

    @torch.no_grad()
    def enqueue(self, key: Tensor) -> None:
        k = nn.functional.normalize(key, dim=1).to(self.queue)
        self.queue.copy_(torch.cat([k, self.queue])[: len(self.queue)])

    def to_host(self, x: Tensor) -> list[float]:
        return x.detach().to("cpu").tolist()
