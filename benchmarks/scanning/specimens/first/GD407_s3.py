from dataclasses import dataclass

import torch


@dataclass
class SamplingParams:
    temperature: float = 1.0
    top_p: float = 0.95
    max_tokens: int = 256


class Engine:
    def __init__(self, model, context_len: int):
        self.model = model.eval()
        self.context_len = context_len

    def _top_p(self, logits, p):
        vals, idx = torch.sort(logits, dim=-1)  # SICK
        cum = vals.softmax(dim=-1).cumsum(dim=-1)
        cut = cum > p
        cut = torch.cat([torch.zeros_like(cut[:, :1]), cut[:, :-1]], dim=1)
        mask = torch.zeros_like(cut).scatter(1, idx, cut)
        return logits.masked_fill(mask, float("-inf"))

    @torch.inference_mode()
    def generate(self, ids, params: SamplingParams):
        for _ in range(params.max_tokens):
            logits = self.model(ids[:, -self.context_len:])[:, -1] / params.temperature
            if params.top_p < 1:
                logits = self._top_p(logits, params.top_p)
            ids = torch.cat([ids, logits.softmax(-1).multinomial(1)], dim=1)
        return ids
