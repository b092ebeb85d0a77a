import torch
import torch.nn.functional as F


def train_accum(model, loader, optimizer, accum_steps=8, device="cpu"):
    model.train()
    optimizer.zero_grad()
    for i, (x, y) in enumerate(loader, start=1):
        loss = F.cross_entropy(model(x.to(device)), y.to(device))
        loss.backward()
        if i % accum_steps == 0:
            for group in optimizer.param_groups:
                for p in group["params"]:
                    if p.grad is not None:
                        p.grad.div_(accum_steps)
            optimizer.step()
            optimizer.zero_grad()
