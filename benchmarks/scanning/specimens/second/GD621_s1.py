import torch
from torch import nn


def fit_autoencoder(ae: nn.Module, loader, epochs=10, lr=1e-3):
    opt = torch.optim.Adam(ae.parameters(), lr=lr)
    for epoch in range(epochs):
        losses = []
        for (x,) in loader:
            opt.zero_grad()
            loss = nn.functional.mse_loss(ae(x), x)
            loss.backward()
            opt.step()
            losses.append(loss)  # SICK
        print(f"epoch {epoch}: {sum(losses) / len(losses):.4f}")
