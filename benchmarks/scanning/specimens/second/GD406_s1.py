import torch


def top_k_filter(logits, k=40):
    """Keep the k best entries of every row; logits is (batch, vocab)."""
    ordered, _ = torch.sort(logits, dim=-1)
    threshold = ordered[:, k].unsqueeze(-1)  # SICK
    return torch.where(logits < threshold, torch.full_like(logits, -float("inf")), logits)


@torch.no_grad()
def step(model, ids, k=40):
    logits = top_k_filter(model(ids)[:, -1], k)
    return torch.multinomial(torch.softmax(logits, -1), 1)
