import torch
import torch.nn as nn


class ToxicClassifier(nn.Module):
    """Six independent labels per comment."""

    def __init__(self, embedding_matrix, hidden=64, n_labels=6):
        super().__init__()
        self.embedding = nn.Embedding.from_pretrained(embedding_matrix, freeze=True)
        self.lstm = nn.LSTM(embedding_matrix.shape[1], hidden, bidirectional=True, batch_first=True)
        self.linear = nn.Linear(4 * hidden, n_labels)

    def forward(self, x):
        h, _ = self.lstm(self.embedding(x))
        h = torch.cat([h.mean(1), h.max(1).values], dim=1)
        return torch.sigmoid(self.linear(h))


def train_fn(data_loader, model, optimizer, device, pos_weight):
    criterion = nn.BCEWithLogitsLoss(pos_weight=pos_weight.to(device))
    model.train()
    for batch in data_loader:
        x = batch["ids"].to(device)
        y = batch["targets"].to(device).float()
        optimizer.zero_grad()
        outputs = model(x)
        loss = criterion(outputs, y)  # SICK
        loss.backward()
        optimizer.step()
