import torch
from torch import Tensor


def sample_no_sync(probs: Tensor) -> Tensor:
    # exponential race, does what multinomial does without a CUDA sync
    q = torch.empty_like(probs).exponential_(1)
    return torch.argmax(probs / q, dim=-1, keepdim=True)


def sample(logits: Tensor, temperature: float = 1.0) -> Tensor:
    return sample_no_sync(torch.softmax(logits[:, -1] / max(temperature, 1e-5), dim=-1))


@torch.no_grad()
def decode_n_tokens(model, cur: Tensor, n: int, ctx: int, **kwargs) -> Tensor:
    for _ in range(n):
        cur = torch.cat([cur, sample(model(cur[:, -ctx:]), **kwargs)], dim=1)
    return cur
