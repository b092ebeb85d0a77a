from contextlib import contextmanager

import torch


@contextmanager
def evaluating(net):
    was_training = net.training
    try:
        net.eval()
        yield net
    finally:
        net.train(was_training)


@torch.no_grad()
def generate(net, ids, n_tokens, context, top_k=50):
    with evaluating(net):
        for _ in range(n_tokens):
            logits = net(ids[:, -context:])[:, -1]
            val, ind = logits.topk(min(top_k, logits.size(-1)), dim=-1)
            choice = torch.multinomial(val.softmax(-1), 1)
            ids = torch.cat([ids, ind.gather(-1, choice)], dim=1)
    return ids
