import torch


def sample_top_k(logits: torch.Tensor, k: int, temperature: float = 1.0) -> torch.Tensor:
    """Draws from the k likeliest tokens, without touching the others."""
    k = min(k, logits.shape[-1])
    values, indices = torch.sort(logits / temperature, dim=-1, descending=False)
    values, indices = values[..., -k:], indices[..., -k:]
    choice = torch.multinomial(values.softmax(dim=-1), 1)
    return indices.gather(-1, choice)


def mask_top_k(logits: torch.Tensor, k: int) -> torch.Tensor:
    n = logits.size(-1)
    k = min(k, n)
    smallest_kept = torch.kthvalue(logits, n - k + 1, dim=-1, keepdim=True).values
    return torch.where(logits >= smallest_kept, logits, torch.full_like(logits, float("-inf")))


@torch.no_grad()
def generate(model, ids, steps, k, block_size):
    for _ in range(steps):
        last = model(ids[:, -block_size:])[:, -1]
        ids = torch.cat([ids, sample_top_k(mask_top_k(last, k), k)], dim=1)
    return ids
