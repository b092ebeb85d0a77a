from typing import Iterator, List

import torch
from torch import Tensor


@torch.no_grad()
def stream(lm, prompt: List[int], limit: int, context: int, eos: int) -> Iterator[int]:
    """Yields token after token of a single text."""
    ids = torch.tensor(prompt).unsqueeze(0)
    for _ in range(limit):
        token = torch.multinomial(torch.softmax(lm(ids[:, -context:])[0, -1], dim=-1), 1)
        if token.item() == eos:
            return
        yield token.item()
        ids = torch.cat([ids, token.view(1, 1)], dim=1)


def generate_many(lm, prompts: List[List[int]], limit: int, context: int, eos: int) -> List[List[int]]:
    return [list(stream(lm, p, limit, context, eos)) for p in prompts]
