import torch
from torch import nn


def pretrain(net, batches, lr=3e-4, use_amp=True):
    opt = torch.optim.Adam(net.parameters(), lr=lr)
    amp = torch.amp.GradScaler("cuda", enabled=use_amp)
    criterion = nn.CrossEntropyLoss()
    for i, (x, y) in enumerate(batches):
        with torch.autocast("cuda", torch.float16, enabled=use_amp):
            out = net(x)
            loss = criterion(out.flatten(0, -2), y.flatten())
        opt.zero_grad(set_to_none=True)
        loss.backward()  # SICK
        amp.step(opt)
        amp.update()
        if i % 100 == 0:
            print(i, loss.item(), amp.get_scale())
