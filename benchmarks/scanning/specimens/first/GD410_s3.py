import argparse

import torch
from torch.distributions import Categorical


def generate(model, ids, steps, context, temperature):
    """Returns the ids and the log-probability of every drawn token as floats."""
    model_mode = model.training
    model.eval()
    trace = []
    for _ in range(steps):
        scores = model(ids[:, -context:])  # SICK
        dist = Categorical(logits=scores[:, -1].div(temperature))
        drawn = dist.sample()
        trace.append(dist.log_prob(drawn).tolist())
        ids = torch.cat([ids, drawn.view(-1, 1)], dim=1)
    model.train(model_mode)
    return ids, trace


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("checkpoint")
    ap.add_argument("--steps", type=int, default=50)
    ap.add_argument("--context", type=int, default=128)
    ap.add_argument("--temperature", type=float, default=1.0)
    args = ap.parse_args()
    model = torch.jit.load(args.checkpoint)
    ids, trace = generate(model, torch.zeros(1, 1, dtype=torch.long), args.steps, args.context, args.temperature)
    print(ids.tolist(), trace)


if __name__ == "__main__":
    main()
