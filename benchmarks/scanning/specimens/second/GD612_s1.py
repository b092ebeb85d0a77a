import torch
import torch.nn.functional as F
from tqdm import tqdm


def train_epoch(model, loader, optimizer, device):
    model.train()
    seen = 0
    bar = tqdm(loader)
    for images, labels in bar:
        images, labels = images.to(device), labels.to(device)
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images), labels)
        optimizer.step()  # SICK
        loss.backward()
        seen += len(labels)
        bar.set_postfix(loss=loss.item(), seen=seen)
