import torch
import torch.nn as nn


class DenoiserMLP(nn.Module):
    """DDPM on low dimensional data, forward returns the noise prediction loss."""

    def __init__(self, data_dim: int, hidden: int = 128, n_steps: int = 100, beta_min: float = 1e-4, beta_max: float = 0.02):
        super().__init__()
        self.n_steps = n_steps
        betas = torch.linspace(beta_min, beta_max, n_steps)
        self.register_buffer("betas", betas)
        self.register_buffer("alpha_bar", torch.cumprod(1 - betas, 0))
        self.t_emb = nn.Embedding(n_steps, hidden)
        self.inp = nn.Linear(data_dim, hidden)
        self.net = nn.Sequential(nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU(), nn.Linear(hidden, data_dim))

    def predict_noise(self, x_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return self.net(self.inp(x_t) + self.t_emb(t))

    def forward(self, x0: torch.Tensor) -> torch.Tensor:
        t = torch.randint(0, self.n_steps, (x0.size(0),), device=x0.device)
        ab = self.alpha_bar[t].unsqueeze(-1)
        eps = torch.randn_like(x0)
        x_t = ab.sqrt() * x0 + (1 - ab).sqrt() * eps
        return nn.functional.mse_loss(self.predict_noise(x_t, t), eps)

    @torch.no_grad()
    def sample(self, n: int, dim: int) -> torch.Tensor:
        x = torch.randn(n, dim, device=self.betas.device)
        for i in reversed(range(self.n_steps)):
            t = torch.full((n,), i, device=x.device, dtype=torch.long)
            eps = self.predict_noise(x, t)
            x = (x - self.betas[i] / (1 - self.alpha_bar[i]).sqrt() * eps) / (1 - self.betas[i]).sqrt()
            if i > 0:
                x = x + self.betas[i].sqrt() * torch.randn_like(x)
        return x


if __name__ == "__main__":
    model = DenoiserMLP(2)
    opt = torch.optim.Adam(model.parameters(), lr=1e-3)
    for step in range(100):
        loss = model(torch.randn(128, 2) * 0.1 + 1)
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(model.sample(4, 2))
