import torch
import torch.nn.functional as F
from tqdm import tqdm


def train_pipelined(model, loader, optimizer, device):
    model.train()
    it = iter(loader)
    images, labels = next(it)
    F.cross_entropy(model(images.to(device)), labels.to(device)).backward()
    bar = tqdm(it)
    for images, labels in bar:
        optimizer.step()
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images.to(device)), labels.to(device))
        loss.backward()
        bar.set_postfix(loss=loss.item())
    optimizer.step()
    optimizer.zero_grad()
