import torch
import torch.nn.functional as F


def train(model, loader, dtype=torch.float16):
    opt = torch.optim.AdamW(model.parameters())
    scaler = torch.amp.GradScaler("cuda") if dtype is torch.float16 else None
    for x, y in loader:
        with torch.autocast("cuda", dtype=dtype):
            loss = F.cross_entropy(model(x), y)
        opt.zero_grad()
        if scaler is None:
            loss.backward()
            opt.step()
        else:
            scaler.scale(loss).backward()
            scaler.step(opt)
            scaler.update()
