import torch
import torch.nn.functional as F


def train_accum(model, loader, optimizer, accum_steps=8, device="cpu"):
    model.train()
    optimizer.zero_grad()
    for i, (x, y) in enumerate(loader, start=1):
        logits = model(x.to(device))
        loss = F.cross_entropy(logits, y.to(device))
        loss.backward()  # SICK
        if i % accum_steps == 0:
            optimizer.step()
            optimizer.zero_grad()
            print(i // accum_steps, loss.item() / accum_steps)
