import torch
from torch.amp import GradScaler


def amp_epoch(model, loader, opt, loss_fn, clip=1.0):
    scaler = GradScaler("cuda")
    for x, y in loader:
        x, y = x.cuda(non_blocking=True), y.cuda(non_blocking=True)
        opt.zero_grad(set_to_none=True)
        with torch.autocast("cuda", dtype=torch.float16):
            loss = loss_fn(model(x), y)
        scaler.scale(loss).backward()
        if clip:
            scaler.unscale_(opt)
            torch.nn.utils.clip_grad_value_(model.parameters(), clip)
        scaler.step(opt)
        scaler.update()
