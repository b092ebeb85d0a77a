import torch
from torch import Tensor
from torch.distributions import Categorical


def generate(model, ids: Tensor, n: int, window: int) -> Tensor:
    with torch.set_grad_enabled(False):
        for _ in range(n):
            nxt = Categorical(logits=model(ids[:, -window:])[:, -1]).sample()
            ids = torch.cat([ids, nxt.unsqueeze(-1)], dim=-1)
    return ids


def policy_gradient_loss(model, prompt: Tensor, n: int, window: int, reward_fn) -> Tensor:
    """REINFORCE: the draws need no graph, the scoring of the finished text does."""
    text = generate(model, prompt, min(n, window - prompt.size(1)), window)
    logits = model(text[:, :-1])[:, prompt.size(1) - 1:]
    log_probs = Categorical(logits=logits).log_prob(text[:, prompt.size(1):])
    reward = reward_fn(text).unsqueeze(1)
    return -(log_probs * (reward - reward.mean())).mean()
