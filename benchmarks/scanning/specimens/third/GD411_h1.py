import torch


class SlidingGenerator:
    def __init__(self, lm, n_ctx):
        self.lm = lm.eval()
        self.n_ctx = n_ctx

    def _crop(self, ids):
        extra = ids.size(1) - self.n_ctx
        return ids[:, extra:] if extra > 0 else ids

    @torch.no_grad()
    def run(self, prompt, n_tokens):
        ids = prompt
        for _ in range(n_tokens):
            logits = self.lm(self._crop(ids))
            ids = torch.cat([ids, logits[:, -1].softmax(-1).multinomial(1)], dim=1)
        return ids[:, prompt.size(1):]

    @torch.no_grad()
    def run_within(self, prompt, n_tokens):
        budget = min(n_tokens, self.n_ctx - prompt.size(1))
        ids = prompt
        for _ in range(budget):
            logits = self.lm(ids)
            ids = torch.cat([ids, logits[:, -1].argmax(-1, keepdim=True)], dim=1)
        return ids
