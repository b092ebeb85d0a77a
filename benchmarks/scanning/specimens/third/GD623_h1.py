import torch
import torch.nn.functional as F


def token_weighted_update(model, optimizer, micro_batches, pad=-100):
    """Sums the losses of all micro batches and divides by the number of their tokens."""
    n_tokens = sum(int((y != pad).sum()) for _, y in micro_batches)
    optimizer.zero_grad()
    total = 0.0
    for x, y in micro_batches:
        logits = model(x)
        loss = F.cross_entropy(logits.flatten(0, 1), y.flatten(), ignore_index=pad, reduction="sum")
        loss.backward()
        total += loss.item()
    for p in model.parameters():
        if p.grad is not None:
            p.grad.div_(n_tokens)
    optimizer.step()
    return total / n_tokens


def train(model, optimizer, groups):
    model.train()
    for step, group in enumerate(groups):
        print(step, token_weighted_update(model, optimizer, group))
