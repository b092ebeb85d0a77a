import torch
import torch.nn as nn

xs = torch.linspace(-3, 3, 400).unsqueeze(1)
ys = torch.sin(2 * xs)

net = nn.Sequential(nn.Linear(1, 50), nn.Tanh(), nn.Linear(50, 1))
criterion = nn.MSELoss()
optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
step, clear = optimizer.step, optimizer.zero_grad

for it in range(1000):
    clear()
    loss = criterion(net(xs), ys)
    loss.backward()
    step()
    if it % 200 == 0:
        print(it, loss.item())
