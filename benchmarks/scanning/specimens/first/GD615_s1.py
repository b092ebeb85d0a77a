import torch
import torch.nn as nn
import torch.nn.functional as F


def train(model, loader, optimizer, max_norm=1.0):
    model.train()
    for inputs, targets in loader:
        optimizer.zero_grad()
        logits = model(inputs)
        loss = F.cross_entropy(logits, targets)
        loss.backward()
        optimizer.step()
        nn.utils.clip_grad_norm_(model.parameters(), max_norm)  # SICK
