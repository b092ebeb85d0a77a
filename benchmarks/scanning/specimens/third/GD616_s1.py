import torch
import torch.nn.functional as F
from torch.nn.utils import clip_grad_norm_


def train(model, loader, epochs, lr=1e-4, grad_clip=1.0, device="cuda"):
    model.to(device).train()
    opt = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=0.01)
    scaler = torch.amp.GradScaler(device)
    for epoch in range(epochs):
        for x, y in loader:
            x, y = x.to(device), y.to(device)
            opt.zero_grad(set_to_none=True)
            with torch.autocast(device_type=device, dtype=torch.float16):
                loss = F.cross_entropy(model(x), y)
            scaler.scale(loss).backward()
            clip_grad_norm_(model.parameters(), grad_clip)  # SICK
            scaler.step(opt)
            scaler.update()
        print(f"{epoch}: {loss.item():.4f}")
