import torch
import torch.nn.functional as F


@torch.no_grad()
def next_word(model, tokens, temperature=1.0):
    last = model(tokens)[:, -1, :] / temperature
    weights = torch.exp(last - last.amax(dim=-1, keepdim=True))
    return torch.multinomial(weights, num_samples=1)


def continue_text(model, tokens, n, ctx=128):
    for _ in range(n):
        tokens = torch.cat([tokens, next_word(model, tokens[:, -ctx:])], dim=-1)
    return tokens
