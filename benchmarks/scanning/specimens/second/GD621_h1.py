import torch
from torch import nn


def fit_autoencoder(ae: nn.Module, loader, epochs=10, lr=1e-3):
    opt = torch.optim.Adam(ae.parameters(), lr=lr)
    for epoch in range(epochs):
        total, parts = torch.zeros(()), []
        for (x,) in loader:
            opt.zero_grad()
            terms = []
            for scale in (1.0, 0.5):
                terms.append(nn.functional.mse_loss(ae(x * scale), x * scale))
            loss = sum(terms)
            loss.backward()
            opt.step()
            total += loss.detach()
            parts.append(terms[0].item())
        print(f"epoch {epoch}: {total.item():.4f} {parts[-1]:.4f}")
