import torch


@torch.no_grad()
def complete(model, ids, steps=64, temperature=0.8):
    """Sample a continuation."""
    for _ in range(steps):
        window = ids[:, -model.block_size:]
        logits, _ = model(window)
        scaled = logits[:, -1, :] / temperature
        nxt = torch.argmax(scaled, dim=-1, keepdim=True)  # SICK
        ids = torch.cat((ids, nxt), dim=1)
    return ids
