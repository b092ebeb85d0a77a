import torch

gru = torch.nn.GRU(10, 32, batch_first=True)
out = torch.nn.Linear(32, 1)
params = list(gru.parameters()) + list(out.parameters())
adam = torch.optim.Adam(params, lr=1e-3)

mean_loss, n = None, 0
for step in range(5000):
    seq = torch.randn(16, 20, 10)
    goal = seq.sum(dim=(1, 2)).unsqueeze(-1)
    err = (out(gru(seq)[0][:, -1]) - goal).pow(2).mean()
    adam.zero_grad(set_to_none=True)
    err.backward()
    torch.nn.utils.clip_grad_norm_(params, 1.0)
    adam.step()
    mean_loss = err if mean_loss is None else 0.99 * mean_loss + 0.01 * err  # SICK
    n += 1
    if n % 500 == 0:
        print(n, float(mean_loss))
