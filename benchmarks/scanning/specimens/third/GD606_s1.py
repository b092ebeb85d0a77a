import torch
import torch.nn as nn
import torch.nn.functional as F


class SentimentModel(nn.Module):
    def __init__(self, vocab_size: int, dim: int = 128, num_labels: int = 3):
        super().__init__()
        self.embeddings = nn.EmbeddingBag(vocab_size, dim, mode="mean")
        self.dense = nn.Linear(dim, dim)
        self.classifier = nn.Linear(dim, num_labels)

    def forward(self, input_ids: torch.Tensor, labels: torch.Tensor | None = None) -> dict:
        pooled = torch.tanh(self.dense(self.embeddings(input_ids)))
        logits = self.classifier(pooled)
        output = {"logits": logits}
        if labels is not None:
            value = F.cross_entropy(logits, labels).item()
            output["loss"] = torch.tensor(value, requires_grad=True)  # SICK
        return output


def train_step(model, batch, optimizer):
    out = model(batch["input_ids"], labels=batch["labels"])
    optimizer.zero_grad()
    out["loss"].backward()
    optimizer.step()
    return out["loss"].item()
