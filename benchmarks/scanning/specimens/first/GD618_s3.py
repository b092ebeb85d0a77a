import torch
import torch.nn.functional as F

net = torch.nn.Sequential(
    torch.nn.Linear(30, 100), torch.nn.BatchNorm1d(100), torch.nn.ReLU(), torch.nn.Dropout(0.5), torch.nn.Linear(100, 1)
)
opt = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
X, Y = torch.randn(800, 30), torch.randn(800, 1)
Xv, Yv = torch.randn(200, 30), torch.randn(200, 1)
best = float("inf")

for epoch in range(30):
    for xb, yb in zip(X.split(50), Y.split(50)):
        opt.zero_grad(set_to_none=True)
        F.mse_loss(net(xb), yb).backward()
        opt.step()
    if epoch % 5 == 4:
        net.train(False)  # SICK
        with torch.no_grad():
            score = F.mse_loss(net(Xv), Yv).item()
        if score < best:
            best = score
            torch.save(net.state_dict(), "best.pt")
