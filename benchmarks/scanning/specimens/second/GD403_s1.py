import torch


def sample_next(logits: torch.Tensor, temperature: float = 1.0, top_k: int = 0):
    """logits: (batch, vocab) -> (batch, 1)"""
    logits = logits * temperature  # SICK
    if top_k:
        kth = logits.topk(top_k, dim=-1).values[:, -1:]
        logits = logits.masked_fill(logits < kth, float("-inf"))
    return torch.multinomial(logits.softmax(-1), num_samples=1)


if __name__ == "__main__":
    print(sample_next(torch.randn(2, 10), 0.7, 3))
