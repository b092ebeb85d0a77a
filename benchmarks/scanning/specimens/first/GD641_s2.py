import torch
from torch import nn, Tensor
from torch.nn import functional as fn


class MultiLabel(nn.Module):
    def __init__(self, vocab: int, dim: int, n_labels: int):
        super().__init__()
        self.bag = nn.EmbeddingBag(vocab, dim)
        self.fc = nn.Linear(dim, n_labels)
        self.register_buffer("pos_weight", torch.full((n_labels,), 3.0))

    def forward(self, ids: Tensor, labels: Tensor) -> dict[str, Tensor]:
        probs = torch.sigmoid(self.fc(self.bag(ids)))
        hits = ((probs > 0.5) == labels.bool()).float().mean()
        loss = fn.binary_cross_entropy_with_logits(probs, labels.float(), pos_weight=self.pos_weight)  # SICK
        return {"loss": loss, "accuracy": hits}
