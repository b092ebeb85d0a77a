import torch


class NucleusWarper:
    """Ascending variant: the tail whose mass is at most 1 - p goes away."""

    def __init__(self, p: float, min_keep: int = 1):
        self.p = p
        self.min_keep = min_keep

    def __call__(self, scores):
        asc, order = torch.sort(scores, descending=False)
        mass = asc.softmax(dim=-1).cumsum(dim=-1)
        drop = mass <= (1 - self.p)
        drop[..., -self.min_keep:] = False
        drop = drop.scatter(-1, order, drop)
        return scores.masked_fill(drop, float("-inf"))


def sample_nucleus(probs, p):
    sorted_p, order = probs.sort(dim=-1, descending=True)
    before = sorted_p.cumsum(dim=-1) - sorted_p
    sorted_p = sorted_p * (before < p)
    pick = torch.multinomial(sorted_p / sorted_p.sum(-1, keepdim=True), 1)
    return order.gather(-1, pick)


if __name__ == "__main__":
    s = torch.randn(2, 10)
    print(NucleusWarper(0.8)(s), sample_nucleus(s.softmax(-1), 0.8))
