import torch
import torch.nn.functional as F

GRAD_CLIP = 1.0


def run(model, get_batch, iters, accum=4):
    opt = torch.optim.AdamW(model.parameters(), lr=6e-4, betas=(0.9, 0.95))
    for it in range(iters):
        for _ in range(accum):
            x, y = get_batch()
            loss = F.cross_entropy(model(x).flatten(0, 1), y.flatten())
            (loss / accum).backward()
        opt.step()
        if GRAD_CLIP > 0:
            norm = torch.nn.utils.clip_grad_norm_(model.parameters(), GRAD_CLIP)  # SICK
            if it % 10 == 0:
                print(it, loss.item(), norm.item())
        opt.zero_grad(set_to_none=True)
