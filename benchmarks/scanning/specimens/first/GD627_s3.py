import torch
from torch.nn import functional as fn

model = torch.nn.Sequential(torch.nn.Linear(12, 48), torch.nn.ReLU(), torch.nn.Linear(48, 3))
opt = torch.optim.SGD(model.parameters(), lr=0.05)
x, y = torch.randn(300, 12), torch.randint(0, 3, (300,))

torch.set_grad_enabled(False)
print("accuracy before", (model(x).argmax(-1) == y).float().mean().item())

for epoch in range(40):
    loss = fn.nll_loss(fn.log_softmax(model(x), dim=-1), y)
    opt.zero_grad()
    loss.backward()  # SICK
    opt.step()
