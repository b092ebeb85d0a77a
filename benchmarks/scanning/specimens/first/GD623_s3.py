import torch
import torch.nn.functional as F


def train_lm(model, loader, optimizer, scheduler, grad_accum=16, scaler=None):
    scaler = scaler or torch.amp.GradScaler("cuda")
    count = 0
    for ids in loader:
        ids = ids.cuda()
        with torch.autocast("cuda", dtype=torch.float16):
            logits = model(ids[:, :-1])
            loss = F.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())
        scaler.scale(loss).backward()  # SICK
        count += 1
        if count == grad_accum:
            scaler.step(optimizer)
            scaler.update()
            scheduler.step()
            optimizer.zero_grad(set_to_none=True)
            count = 0
