import torch
import torch.nn as nn
import torch.nn.functional as F


def finetune(net, checkpoint, n_classes, loader):
    opt = torch.optim.SGD(net.parameters(), lr=1e-3, momentum=0.9)
    net.load_state_dict(torch.load(checkpoint, weights_only=True))
    nn.init.zeros_(net.fc.bias)
    extra = nn.Linear(net.fc.out_features, n_classes)
    net.fc = nn.Sequential(net.fc, nn.ReLU(), extra)
    opt.add_param_group({"params": extra.parameters(), "lr": 1e-2})
    net.train()
    for x, y in loader:
        opt.zero_grad()
        F.cross_entropy(net(x), y).backward()
        opt.step()
