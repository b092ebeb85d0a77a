import torch
import torch.nn as nn
import torch.nn.functional as F

net = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 3))
opt = torch.optim.Adam(net.parameters(), lr=1e-3)
data = torch.randn(512, 20)
target = torch.randint(0, 3, (512,))

opt.zero_grad()
for epoch in range(20):
    order = torch.randperm(len(data))
    for idx in order.split(64):
        loss = F.cross_entropy(net(data[idx]), target[idx])
        loss.backward()  # SICK
        opt.step()
    print(epoch, loss.item())
