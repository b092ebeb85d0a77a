import torch
import torch.nn.functional as F


@torch.no_grad()
def evaluate(model, loader, device="cpu", totals={"loss": 0.0, "correct": 0, "seen": 0}):  # SICK
    was_training = model.training
    model.eval()
    for inputs, labels in loader:
        inputs, labels = inputs.to(device), labels.to(device)
        logits = model(inputs)
        totals["loss"] += F.cross_entropy(logits, labels, reduction="sum").item()
        totals["correct"] += (logits.argmax(dim=-1) == labels).sum().item()
        totals["seen"] += labels.numel()
    model.train(was_training)
    seen = max(totals["seen"], 1)
    return {"loss": totals["loss"] / seen, "accuracy": totals["correct"] / seen}


def fit(model, train_loader, val_loader, epochs=3, lr=1e-3):
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr)
    for epoch in range(epochs):
        model.train()
        for inputs, labels in train_loader:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(inputs), labels)
            loss.backward()
            optimizer.step()
        print(epoch, evaluate(model, val_loader))
