import torch
from torch import Tensor


def gumbel_pick(logits: Tensor, temperature: float) -> Tensor:
    """Gumbel-max trick: the argmax of the perturbed logits is a draw from the softmax."""
    scaled = logits.float() / temperature
    noise = torch.empty_like(scaled).exponential_().log().neg()
    return torch.argmax(scaled + noise, dim=-1, keepdim=True)


@torch.no_grad()
def rollout(policy, prompt: Tensor, n_steps: int, ctx: int, temperature: float = 1.0) -> Tensor:
    seq = prompt.clone()
    for _ in range(n_steps):
        last = policy(seq[:, -ctx:])[:, -1, :]
        seq = torch.cat((seq, gumbel_pick(last, temperature)), dim=-1)
    return seq
