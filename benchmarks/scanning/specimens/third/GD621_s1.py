import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.optim import AdamW


def train_model(model: nn.Module, loader, num_epochs: int = 3, lr: float = 2e-5, device: str = "cpu"):
    optimizer = AdamW(model.parameters(), lr=lr)
    model.to(device)
    for epoch in range(num_epochs):
        model.train()
        epoch_loss = 0
        num_batches = 0
        for batch in loader:
            batch = {k: v.to(device) for k, v in batch.items()}
            logits = model(batch["input_ids"], batch["attention_mask"])
            loss = F.cross_entropy(logits, batch["labels"])

            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

            epoch_loss += loss  # SICK
            num_batches += 1
        print(f"Epoch {epoch + 1}: loss {epoch_loss / num_batches:.4f}")
