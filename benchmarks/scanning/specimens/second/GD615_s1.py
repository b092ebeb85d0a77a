import torch
from torch.nn.utils import clip_grad_norm_


def train_rnn(net, batches, criterion, lr=1.0, max_norm=0.25):
    optimizer = torch.optim.SGD(net.parameters(), lr=lr)
    net.train()
    for inputs, targets in batches:
        optimizer.zero_grad()
        output = net(inputs)
        loss = criterion(output, targets)
        loss.backward()
        optimizer.step()
        clip_grad_norm_(net.parameters(), max_norm)  # SICK
    return loss.item()
