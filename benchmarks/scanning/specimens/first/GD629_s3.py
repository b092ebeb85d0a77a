import argparse

import torch as th


def average(paths):
    """Mean of the weights of several checkpoints."""
    total = None
    for path in paths:
        with open(path, "rb") as f:
            weights = th.load(f, "cpu", weights_only=False)["state_dict"]  # SICK
        if total is None:
            total = {k: v.double() for k, v in weights.items()}
        else:
            for k, v in weights.items():
                total[k] += v.double()
    return {k: (v / len(paths)).float() for k, v in total.items()}


if __name__ == "__main__":
    ap = argparse.ArgumentParser()
    ap.add_argument("checkpoints", nargs="+")
    ap.add_argument("--out", default="avg.pt")
    a = ap.parse_args()
    th.save({"state_dict": average(a.checkpoints)}, a.out)
