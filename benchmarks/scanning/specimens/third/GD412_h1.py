import torch


@torch.no_grad()
def answer(model, ids, eos, pad, limit=64, window=512):
    alive = torch.ones(ids.size(0), dtype=torch.bool, device=ids.device)
    produced = 0
    while produced < limit and alive.any():
        logits = model(ids[:, -window:])[:, -1]
        nxt = torch.multinomial(logits.softmax(dim=-1), 1).squeeze(1)
        nxt = torch.where(alive, nxt, torch.full_like(nxt, pad))
        ids = torch.cat([ids, nxt[:, None]], dim=1)
        alive = alive & nxt.ne(eos)
        produced += 1
    return ids


@torch.no_grad()
def answer_one(model, ids, eos, limit=64, window=512):
    assert ids.size(0) == 1
    for _ in range(limit):
        nxt = model(ids[:, -window:])[:, -1].argmax(dim=-1, keepdim=True)
        if nxt.item() == eos:
            break
        ids = torch.cat([ids, nxt], dim=1)
    return ids
