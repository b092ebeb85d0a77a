import torch


def keep_best(logits, k=40):
    """Keep the k best entries of every row; logits is (batch, vocab)."""
    ordered, _ = torch.sort(logits, dim=-1)
    threshold = ordered[:, -k].unsqueeze(-1)
    return torch.where(logits < threshold, torch.full_like(logits, -float("inf")), logits)


@torch.no_grad()
def step(model, ids, k=40):
    logits = model(ids)[:, -1]
    logits = keep_best(logits, min(k, logits.size(-1)))
    return torch.multinomial(torch.softmax(logits, -1), 1)
