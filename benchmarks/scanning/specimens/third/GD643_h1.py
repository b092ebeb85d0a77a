import torch
import torch.nn as nn


class WeightedKL(nn.Module):
    def __init__(self):
        super().__init__()
        self.kl = nn.KLDivLoss(reduction="none")

    def forward(self, logits, target_probs, weight):
        per_class = self.kl(torch.log_softmax(logits, dim=-1), target_probs)
        per_item = per_class.sum(dim=-1)
        return (weight * per_item).sum() / weight.sum()


def vote_loss(logits, votes):
    """EEG votes: one divergence per recording, averaged over the batch."""
    target = votes / votes.sum(dim=1, keepdim=True)
    total = nn.functional.kl_div(logits.log_softmax(1), target, reduction="sum")
    return total / logits.shape[0]


if __name__ == "__main__":
    z = torch.randn(5, 6, requires_grad=True)
    votes = torch.randint(1, 9, (5, 6)).float()
    loss = vote_loss(z, votes) + WeightedKL()(z, votes / votes.sum(1, keepdim=True), torch.rand(5))
    loss.backward()
