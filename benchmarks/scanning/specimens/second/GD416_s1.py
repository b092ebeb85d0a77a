import torch
import torch.nn.functional as F


@torch.no_grad()
def next_word(model, tokens, temperature=1.0):
    out = model(tokens)
    last = out[:, -1, :] / temperature
    dist = F.log_softmax(last, dim=-1)
    weights = dist - dist.min(dim=-1, keepdim=True).values
    return torch.multinomial(weights, num_samples=1)  # SICK


def continue_text(model, tokens, n, ctx=128):
    for _ in range(n):
        tokens = torch.cat([tokens, next_word(model, tokens[:, -ctx:])], dim=-1)
    return tokens
