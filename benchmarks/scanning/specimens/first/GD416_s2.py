import torch
from torch import Tensor
from torch.nn.functional import log_softmax


class SamplingSearch:
    def __init__(self, model, window: int, temperature: float = 1.0):
        self.model = model
        self.window = window
        self.temperature = temperature

    def _log_probs(self, ids: Tensor) -> Tensor:
        out = self.model(ids[:, -self.window:])
        return log_softmax(out[:, -1].float() / self.temperature, dim=-1)

    @torch.no_grad()
    def run(self, ids: Tensor, n: int):
        total = torch.zeros(ids.size(0), 1, device=ids.device)
        for _ in range(n):
            lp = self._log_probs(ids)
            pick = lp.multinomial(1)  # SICK
            total += lp.gather(-1, pick)
            ids = torch.cat([ids, pick], dim=1)
        return ids, total.squeeze(1)
