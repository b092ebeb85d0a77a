import torch


def fit_line(x, y, iters=300, lr=0.05):
    w = torch.zeros(1, requires_grad=True)
    b = torch.zeros(1, requires_grad=True)
    opt = torch.optim.SGD([w, b], lr=lr)
    for i in range(iters):
        residual = x * w + b - y
        loss = (residual ** 2).mean()
        loss.backward()
        for p in (w, b):
            p.grad.zero_()  # SICK
        opt.step()
        if i % 50 == 0:
            print(i, loss.item())
    return w.item(), b.item()
