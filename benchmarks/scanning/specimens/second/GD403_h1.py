import torch


def sample_next_token(logits: torch.Tensor, temperature: float = 1.0):
    """p_i proportional to p_i ** (1 / temperature)."""
    logp = logits.log_softmax(-1)
    inv = temperature ** -1
    p = (logp * inv).exp()
    p = p / p.sum(-1, keepdim=True)
    return torch.multinomial(p, num_samples=1)


if __name__ == "__main__":
    print(sample_next_token(torch.randn(2, 10), 0.7))
