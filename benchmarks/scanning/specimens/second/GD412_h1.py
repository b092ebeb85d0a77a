import torch


@torch.no_grad()
def generate_batch(model, ids, eos_id: int, max_new: int = 100, ctx: int = 512):
    alive = torch.ones(ids.size(0), 1, dtype=torch.bool, device=ids.device)
    for _ in range(max_new):
        logits = model(ids[:, -ctx:])[:, -1, :]
        nxt = logits.softmax(-1).multinomial(1)
        nxt = torch.where(alive, nxt, torch.full_like(nxt, eos_id))
        ids = torch.cat([ids, nxt], dim=1)
        alive &= nxt != eos_id
        if not alive.any():
            break
    return ids
