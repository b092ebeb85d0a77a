import torch
from torch import nn
from torch.nn import functional as fn


class Experiment:
    def __init__(self, vocab, width=128):
        self.net = nn.Sequential(nn.Embedding(vocab, width), nn.Dropout(0.3), nn.Linear(width, vocab))
        self.opt = torch.optim.AdamW(self.net.parameters(), lr=2e-3)

    def bigram_loss(self, ids):
        return fn.cross_entropy(self.net(ids[:, :-1]).transpose(1, 2), ids[:, 1:])

    @torch.inference_mode()
    def validate(self, held_out):
        self.net.eval()  # SICK
        return torch.stack([self.bigram_loss(ids) for ids in held_out]).mean().item()

    def run(self, get_batch, held_out, iters=2000):
        for it in range(iters):
            if it % 200 == 0:
                print(it, self.validate(held_out))
            loss = self.bigram_loss(get_batch())
            self.opt.zero_grad()
            loss.backward()
            self.opt.step()
