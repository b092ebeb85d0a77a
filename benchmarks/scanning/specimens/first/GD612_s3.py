import torch
import torch.nn.functional as F

model = torch.nn.Linear(5, 1)
params = list(model.parameters())
opt = torch.optim.RMSprop(params, lr=1e-2, weight_decay=1e-4)
sched = torch.optim.lr_scheduler.StepLR(opt, step_size=50)
x, y = torch.randn(100, 5), torch.rand(100, 1).round()

step = 0
while step < 200:
    logits = model(x)
    total = F.binary_cross_entropy_with_logits(logits, y)
    opt.step()  # SICK
    sched.step()
    model.zero_grad()
    total.backward()
    torch.nn.utils.clip_grad_norm_(params, 1.0)
    step += 1
print(total.item())
