import torch
from torch.optim import lr_scheduler as sched

model = torch.nn.Sequential(torch.nn.Linear(16, 64), torch.nn.GELU(), torch.nn.Linear(64, 4))
adam = torch.optim.Adam(model.parameters(), lr=3e-3)
warm = sched.LinearLR(adam, start_factor=0.1, total_iters=20)
decay = sched.CosineAnnealingLR(adam, T_max=180)
plan = sched.SequentialLR(adam, [warm, decay], milestones=[20])

for step in range(200):
    x = torch.randn(64, 16)
    y = x[:, :4].argmax(-1)
    adam.zero_grad()
    loss = torch.nn.functional.cross_entropy(model(x), y)
    plan.step()  # SICK
    loss.backward()
    adam.step()
    if step % 40 == 0:
        print(step, plan.get_last_lr()[0], loss.item())
