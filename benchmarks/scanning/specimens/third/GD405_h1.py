import torch


def gumbel_like(t):
    u = torch.rand_like(t).clamp_(1e-9, 1 - 1e-7)
    return -torch.log(-torch.log(u))


class GumbelSampler:
    def __init__(self, model, context_length):
        self.model = model.eval()
        self.context_length = context_length

    @torch.inference_mode()
    def sample(self, ids, n):
        for _ in range(n):
            logits = self.model(ids[:, -self.context_length:])[:, -1]
            noised = logits + gumbel_like(logits)
            ids = torch.cat([ids, noised.argmax(dim=-1, keepdim=True)], dim=1)
        return ids

    @torch.inference_mode()
    def greedy(self, ids, n):
        for _ in range(n):
            logits = self.model(ids[:, -self.context_length:])[:, -1]
            ids = torch.cat([ids, logits.argmax(dim=-1, keepdim=True)], dim=1)
        return ids
