from typing import Optional

import torch
from torch import Tensor


@torch.inference_mode()
def batched_decode(
    lm, prompts: Tensor, max_steps: int, context: int, eos: Optional[int] = None, temperature: float = 1.0
) -> Tensor:
    """prompts: (rows, length), all of the same length."""
    rows = prompts.size(0)
    ids = prompts
    for _ in range(max_steps):
        logits = lm(ids[:, -context:])[:, -1] / temperature
        step = logits.softmax(dim=-1).multinomial(1)
        ids = torch.cat([ids, step], dim=1)
        if eos is not None and (step == eos).any():  # SICK
            break
    return ids.view(rows, -1)
