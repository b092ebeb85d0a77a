from dataclasses import dataclass

import torch


@dataclass
class SamplingParams:
    temperature: float = 1.0
    max_tokens: int = 32
    seed: int | None = None


class Decoder:
    def __init__(self, net, context):
        self.net = net.eval()
        self.context = context

    def _next(self, logits, params, generator):
        logits = logits.float()
        if params.temperature != 1.0:
            logits.div_(params.temperature)
        p = torch.exp(logits - logits.logsumexp(dim=-1, keepdim=True))
        return torch.multinomial(p, 1, generator=generator)

    @torch.no_grad()
    def __call__(self, ids, params=SamplingParams()):
        generator = None
        if params.seed is not None:
            generator = torch.Generator(device=ids.device).manual_seed(params.seed)
        for _ in range(params.max_tokens):
            last = self.net(ids[:, -self.context:])[:, -1].clone()
            ids = torch.cat([ids, self._next(last, params, generator)], dim=-1)
        return ids
