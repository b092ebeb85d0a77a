import torch
from torch import Tensor
from torch.nn.functional import log_softmax


def tempered(log_probs: Tensor, temperature: float) -> Tensor:
    # log-probabilities are logits up to a constant, so this is the usual division
    return torch.softmax(log_probs / temperature, dim=-1)


@torch.no_grad()
def ensemble_sample(models, ids: Tensor, steps: int, ctx: int, temperature: float = 1.0) -> Tensor:
    """Product of experts over several language models."""
    for _ in range(steps):
        window = ids[:, -ctx:]
        joint = sum(log_softmax(m(window)[:, -1], dim=-1) for m in models) / len(models)
        ids = torch.cat([ids, torch.multinomial(tempered(joint, temperature), 1)], dim=1)
    return ids
