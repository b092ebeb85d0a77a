import torch
from torch.nn.utils import clip_grad_norm_, parameters_to_vector


def train_rnn(net, batches, criterion, lr=1.0, max_norm=0.25):
    optimizer = torch.optim.SGD(net.parameters(), lr=lr)
    net.train()
    for inputs, targets in batches:
        optimizer.zero_grad()
        criterion(net(inputs), targets).backward()
        norm = clip_grad_norm_(net.parameters(), max_norm)
        optimizer.step()
        with torch.no_grad():
            for p in net.parameters():
                p.clamp_(-3.0, 3.0)
        print(norm.item(), parameters_to_vector(net.parameters()).norm().item())
