import torch
import torch.nn as nn


class CausalBag(nn.Module):
    """Running mean of the embeddings, then an MLP."""

    def __init__(self, vocab, dim):
        super().__init__()
        self.embedding = nn.Embedding(vocab, dim)
        self.mlp = nn.Sequential(nn.Linear(2 * dim, 4 * dim), nn.SiLU(), nn.Linear(4 * dim, vocab))

    def forward(self, ids, labels=None):
        e = self.embedding(ids)
        steps = torch.arange(1, ids.size(1) + 1, device=ids.device).view(1, -1, 1)
        logits = self.mlp(torch.cat([e, e.cumsum(1) / steps], dim=-1))
        output = {"logits": logits}
        if labels is not None:
            logp = torch.log_softmax(logits, dim=-1)
            picked = torch.gather(logp, 2, torch.zeros_like(labels)[..., None]).squeeze(-1)  # SICK
            output["loss"] = -picked.mean()
        return output
