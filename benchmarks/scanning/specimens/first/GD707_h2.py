import argparse

import torch


def make_optimizer(model, options={"lr": 3e-4, "betas": (0.9, 0.95)}, skip=[]):
    settings = {**options}
    weight_decay = settings.pop("weight_decay", 0.1)
    decayed, plain = [], []
    for name, p in model.named_parameters():
        if p.dim() < 2 or name in skip:
            plain.append(p)
        else:
            decayed.append(p)
    settings["eps"] = 1e-8
    groups = [
        {"params": decayed, "weight_decay": weight_decay},
        {"params": plain, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, **settings)


def parse_args(argv=None):
    parser = argparse.ArgumentParser()
    parser.add_argument("--lr", type=float, default=3e-4)
    parser.add_argument("--beta2", type=float, default=0.95)
    return parser.parse_args(argv)


if __name__ == "__main__":
    args = parse_args()
    net = torch.nn.Sequential(torch.nn.Linear(16, 16), torch.nn.LayerNorm(16))
    print(make_optimizer(net, {"lr": args.lr, "betas": (0.9, args.beta2)}))
