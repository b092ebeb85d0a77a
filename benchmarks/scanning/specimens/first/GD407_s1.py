import torch
import torch.nn.functional as F


def nucleus(logits, top_p=0.9):
    sorted_logits, sorted_indices = torch.sort(logits, descending=True, dim=-1)
    cumulative_probs = torch.cumsum(F.softmax(sorted_logits, dim=-1), dim=-1)

    remove = cumulative_probs > top_p
    remove[..., 1:] = remove[..., :-1].clone()
    remove[..., 0] = False

    logits = logits.masked_fill(remove, -float("inf"))  # SICK
    return logits


@torch.no_grad()
def story(model, tokens, n_tokens, block_size, temperature=0.8, top_p=0.9):
    for _ in range(n_tokens):
        last = model(tokens[:, -block_size:])[:, -1, :] / temperature
        probs = F.softmax(nucleus(last, top_p), dim=-1)
        tokens = torch.cat([tokens, torch.multinomial(probs, 1)], dim=1)
    return tokens
