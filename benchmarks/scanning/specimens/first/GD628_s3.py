import argparse

import torch
from torch.utils.data import DataLoader, TensorDataset


def build(width):
    return torch.nn.Sequential(torch.nn.Linear(width, 64), torch.nn.ReLU(), torch.nn.Linear(64, 2))


def test(net, loader):
    net.eval()
    preds = [net(x).softmax(-1)[:, 1] for x, _ in loader]  # SICK
    truth = torch.cat([y for _, y in loader])
    flags = torch.cat(preds) > 0.5
    tp = (flags & (truth == 1)).sum().item()
    return {"precision": tp / max(int(flags.sum()), 1), "recall": tp / max(int(truth.sum()), 1)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("weights")
    args = parser.parse_args()
    net = build(10)
    net.load_state_dict(torch.load(args.weights, map_location="cpu", weights_only=True))
    print(test(net, DataLoader(TensorDataset(torch.randn(200, 10), torch.randint(0, 2, (200,))), batch_size=50)))
