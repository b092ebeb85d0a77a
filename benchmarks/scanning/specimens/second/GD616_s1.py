import torch
from torch.cuda.amp import GradScaler


def amp_epoch(model, loader, opt, loss_fn, clip=1.0):
    scaler = GradScaler()
    for x, y in loader:
        x, y = x.cuda(non_blocking=True), y.cuda(non_blocking=True)
        opt.zero_grad(set_to_none=True)
        with torch.autocast("cuda", dtype=torch.float16):
            loss = loss_fn(model(x), y)
        scaler.scale(loss).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), clip)  # SICK
        scaler.step(opt)
        scaler.update()
