from contextlib import contextmanager

import torch
import torch.nn.functional as F


@contextmanager
def evaluating(net):
    flag = net.training
    try:
        net.eval()
        yield net
    finally:
        net.train(flag)


@torch.no_grad()
def generate(net, ids, n, ctx):
    with evaluating(net):
        for _ in range(n):
            p = F.softmax(net(ids[:, -ctx:])[:, -1], dim=-1)
            ids = torch.cat([ids, torch.multinomial(p, 1)], dim=1)
    return ids


def fit(net, loader, optimizer, prompt, ctx, epochs=3):
    net.train()
    for epoch in range(epochs):
        for x, y in loader:
            optimizer.zero_grad()
            loss = F.cross_entropy(net(x).flatten(0, 1), y.flatten())
            loss.backward()
            optimizer.step()
        print(epoch, generate(net, prompt, 20, ctx).tolist())
