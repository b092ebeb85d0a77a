import torch
import torch.nn.functional as F


def two_task_step(trunk, head_a, head_b, opt, x, ya, yb):
    """Measures the gradient of each task on the trunk before the step."""
    opt.zero_grad()
    h = trunk(x)
    loss_a = F.cross_entropy(head_a(h), ya)
    loss_b = F.mse_loss(head_b(h).squeeze(-1), yb)

    loss_a.backward(retain_graph=True)
    norm_a = sum(p.grad.pow(2).sum() for p in trunk.parameters()).sqrt().item()
    loss_b.backward()
    opt.step()
    return norm_a, loss_a.item(), loss_b.item()


def fit(trunk, head_a, head_b, loader):
    params = [*trunk.parameters(), *head_a.parameters(), *head_b.parameters()]
    opt = torch.optim.Adam(params, lr=1e-3)
    for x, ya, yb in loader:
        print(two_task_step(trunk, head_a, head_b, opt, x, ya, yb))


if __name__ == "__main__":
    L = torch.nn.Linear
    fit(L(4, 8), L(8, 3), L(8, 1), [(torch.randn(6, 4), torch.randint(0, 3, (6,)), torch.randn(6))])
