import argparse

import torch


def get_args():
    p = argparse.ArgumentParser()
    p.add_argument("--checkpoint", required=True)
    p.add_argument("--temperature", type=float, default=0.9)
    p.add_argument("--length", type=int, default=200)
    p.add_argument("--block_size", type=int, default=256)
    return p.parse_args()


@torch.no_grad()
def sample_text(model, start, args):
    tokens = start
    for _ in range(args.length):
        logits = model(tokens[:, -args.block_size:])[:, -1]
        probs = torch.softmax(logits * args.temperature, dim=-1)  # SICK
        tokens = torch.cat([tokens, torch.multinomial(probs, 1)], dim=1)
    return tokens


if __name__ == "__main__":
    args = get_args()
    model = torch.jit.load(args.checkpoint)
    model.eval()
    print(sample_text(model, torch.zeros(1, 1, dtype=torch.long), args)[0].tolist())
