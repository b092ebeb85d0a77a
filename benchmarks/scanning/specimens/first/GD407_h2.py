import torch
import torch.nn as nn
import torch.nn.functional as F


def sample_top_p(probs, p):
    probs_sort, probs_idx = torch.sort(probs, dim=-1, descending=True)
    probs_sum = torch.cumsum(probs_sort, dim=-1)
    mask = probs_sum - probs_sort > p
    probs_sort[mask] = 0.0
    probs_sort.div_(probs_sort.sum(dim=-1, keepdim=True))
    next_token = torch.multinomial(probs_sort, num_samples=1)
    return torch.gather(probs_idx, -1, next_token)


class HaikuLM(nn.Module):
    def __init__(self, syllables, dim=72):
        super().__init__()
        self.syl = nn.Embedding(syllables, dim)
        self.mem = nn.LSTM(dim, dim, batch_first=True)
        self.out = nn.Linear(dim, syllables)

    def forward(self, s, targets=None):
        logits = self.out(self.mem(self.syl(s))[0])
        if targets is None:
            return logits
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten())

    @torch.no_grad()
    def generate(self, s, n=17, temperature=0.8, top_p=0.9):
        for _ in range(n):
            probs = torch.softmax(self(s)[:, -1] / temperature, dim=-1)
            s = torch.cat([s, sample_top_p(probs, top_p)], dim=1)
        return s
