import torch
from torch.nn import functional as fn

enc = torch.nn.Sequential(torch.nn.Linear(64, 16), torch.nn.ReLU())
dec = torch.nn.Linear(16, 64)
optims = [torch.optim.SGD(m.parameters(), lr=0.01) for m in (enc, dec)]
data = torch.rand(1000, 64)

for epoch in range(5):
    for chunk in data.split(50):
        for o in optims:
            o.zero_grad()
        rec = fn.l1_loss(dec(enc(chunk)), chunk)
        sparsity = enc(chunk).abs().mean()
        objective = rec + 0.1 * sparsity
        for o in optims:
            o.step()  # SICK
    print(epoch, objective.item())
