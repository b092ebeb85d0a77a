import torch
from torch import Tensor


class TemperatureWarper:
    def __init__(self, temperature: float):
        if not temperature > 0:
            raise ValueError("temperature has to be positive")
        self.inv_t = 1.0 / temperature

    def __call__(self, logits: Tensor) -> Tensor:
        return logits * self.inv_t


@torch.no_grad()
def draw_sequences(model, prompt: Tensor, n_new: int, window: int, temperature: float = 1.0) -> Tensor:
    warp = TemperatureWarper(temperature)
    seq = prompt
    for _ in range(n_new):
        scores = model(seq[:, -window:])[:, -1, :]
        dist = torch.distributions.Categorical(logits=warp(scores))
        seq = torch.cat([seq, dist.sample().unsqueeze(1)], dim=1)
    return seq
