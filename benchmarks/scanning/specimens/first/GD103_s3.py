import argparse

from torch import nn
import torch.nn.functional as F


class MultiTaskReader(nn.Module):
    def __init__(self, args, tasks):
        super().__init__()
        self.embed = nn.EmbeddingBag(args.vocab, args.dim, mode="mean")
        self.body = nn.Sequential(nn.Linear(args.dim, args.dim), nn.ReLU())
        heads = {}
        for name, n_labels in tasks.items():
            heads[name] = nn.Linear(args.dim, n_labels)
        self.heads = heads  # SICK

    def forward(self, ids, task, labels):
        h = self.body(self.embed(ids))
        return F.cross_entropy(self.heads[task](h), labels)


def build(argv=None):
    parser = argparse.ArgumentParser()
    parser.add_argument("--vocab", type=int, default=5000)
    parser.add_argument("--dim", type=int, default=64)
    args = parser.parse_args(argv)
    return MultiTaskReader(args, {"topic": 12, "sentiment": 3, "language": 7})
