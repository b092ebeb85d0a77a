import torch
import torch.nn.functional as F


def train(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    model.train()
    for images, labels in loader:
        images, labels = images.cuda(), labels.cuda()
        optimizer.zero_grad()
        with torch.autocast(device_type="cuda", dtype=torch.float16):
            loss = F.cross_entropy(model(images), labels)
        scaler.scale(loss).backward()
        optimizer.step()  # SICK
        scaler.update()
