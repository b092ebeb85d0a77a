import torch
import torch.nn as nn


def freeze_norm_statistics(model):
    for m in model.modules():
        if isinstance(m, (nn.BatchNorm1d, nn.BatchNorm2d)):
            m.eval()


def run_epoch(model, loader, criterion, optimizer=None):
    training = optimizer is not None
    model.train(training)
    if training:
        freeze_norm_statistics(model)
    total, n = 0.0, 0
    with torch.set_grad_enabled(training):
        for x, y in loader:
            loss = criterion(model(x), y)
            if training:
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            total += loss.item() * y.size(0)
            n += y.size(0)
    return total / n


def finetune(model, train_loader, valid_loader, epochs=5):
    opt = torch.optim.Adam(model.parameters(), lr=1e-5)
    for e in range(epochs):
        tr = run_epoch(model, train_loader, nn.CrossEntropyLoss(), opt)
        va = run_epoch(model, valid_loader, nn.CrossEntropyLoss())
        print(e, tr, va)
    model.eval()
    return model
