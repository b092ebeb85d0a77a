import torch


@torch.no_grad()
def generate(model, ids, eos_id: int, max_new: int = 100, ctx: int = 512):
    for _ in range(max_new):
        logits = model(ids[:, -ctx:])[:, -1, :]
        nxt = logits.softmax(-1).multinomial(1)
        ids = torch.cat([ids, nxt], dim=1)
        if (nxt == eos_id).any():  # SICK
            break
    return ids
