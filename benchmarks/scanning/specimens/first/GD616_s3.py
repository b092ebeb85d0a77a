import argparse

import torch
from torch.nn import functional as fn


def loop(model, batches, opt, args):
    scaler = torch.amp.GradScaler("cuda", enabled=args.dtype == "float16")
    for micro, (x, y) in enumerate(batches, 1):
        with torch.autocast(device_type="cuda", dtype=getattr(torch, args.dtype)):
            loss = fn.mse_loss(model(x), y) / args.accum
        scaler.scale(loss).backward()
        if micro % args.accum == 0:
            torch.nn.utils.clip_grad_norm_(model.parameters(), args.clip)  # SICK
            scaler.unscale_(opt)
            scaler.step(opt)
            scaler.update()
            opt.zero_grad(set_to_none=True)


if __name__ == "__main__":
    p = argparse.ArgumentParser()
    p.add_argument("--dtype", default="float16")
    p.add_argument("--accum", type=int, default=8)
    p.add_argument("--clip", type=float, default=1.0)
    args = p.parse_args()
    net = torch.nn.Linear(64, 1).cuda()
    data = [(torch.randn(32, 64).cuda(), torch.randn(32, 1).cuda()) for _ in range(64)]
    loop(net, data, torch.optim.Adam(net.parameters()), args)
