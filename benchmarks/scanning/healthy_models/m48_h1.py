import torch
import torch.nn as nn


class DenoisingAutoencoder(nn.Module):
    def __init__(self, input_dim: int, hidden_dims: list[int], noise_std: float = 0.1):
        super().__init__()
        dims = [input_dim] + list(hidden_dims)
        enc, dec = [], []
        for a, b in zip(dims[:-1], dims[1:]):
            enc += [nn.Linear(a, b), nn.LeakyReLU()]
        rev = dims[::-1]
        for a, b in zip(rev[:-1], rev[1:]):
            dec += [nn.Linear(a, b), nn.LeakyReLU()]
        self.encoder = nn.Sequential(*enc[:-1])
        self.decoder = nn.Sequential(*dec[:-1])
        self.noise_std = noise_std

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        noisy = x + self.noise_std * torch.randn_like(x) if self.training else x
        z = self.encoder(noisy)
        return self.decoder(z), z


def fit(model: DenoisingAutoencoder, data: torch.Tensor, epochs: int = 5, batch_size: int = 64, lr: float = 1e-3) -> list[float]:
    opt = torch.optim.AdamW(model.parameters(), lr=lr)
    history = []
    for _ in range(epochs):
        for batch in data[torch.randperm(len(data))].split(batch_size):
            recon, _ = model(batch)
            loss = nn.functional.mse_loss(recon, batch)
            opt.zero_grad()
            loss.backward()
            opt.step()
            history.append(loss.item())
    return history
