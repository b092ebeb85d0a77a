import torch


@torch.no_grad()
def complete_text(model, ids, steps=64, temperature=0.8):
    for _ in range(steps):
        logits, _ = model(ids[:, -model.block_size:])
        last = logits[:, -1, :]
        if temperature == 0:
            nxt = last.argmax(dim=-1, keepdim=True)
        else:
            u = torch.rand_like(last).clamp_min(1e-9)
            gumbel = -torch.log(-torch.log(u))
            nxt = (last / temperature + gumbel).argmax(dim=-1, keepdim=True)
        ids = torch.cat((ids, nxt), dim=1)
    return ids
