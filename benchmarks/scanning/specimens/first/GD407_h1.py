import torch
from torch import FloatTensor


def top_p_warp(scores: FloatTensor, top_p: float, min_tokens_to_keep: int = 1) -> FloatTensor:
    sorted_scores, sorted_ids = torch.sort(scores, descending=False)
    mass = sorted_scores.softmax(dim=-1).cumsum(dim=-1)
    drop_sorted = mass <= (1 - top_p)
    drop_sorted[..., -min_tokens_to_keep:] = False
    drop = drop_sorted.scatter(1, sorted_ids, drop_sorted)
    return scores.masked_fill(drop, -float("inf"))


@torch.no_grad()
def sample_rows(lm, ids, n: int, max_context: int, top_p: float = 0.9):
    for _ in range(n):
        warped = top_p_warp(lm(ids[:, -max_context:])[:, -1], top_p)
        ids = torch.cat((ids, torch.multinomial(torch.softmax(warped, -1), 1)), 1)
    return ids
