from typing import Optional

import torch
from torch import Tensor, nn
from torch.distributions import StudentT
import torch.nn.functional as F


class DeepAR(nn.Module):
    def __init__(self, num_series: int, num_covariates: int, embedding_dim: int = 8, hidden: int = 40, layers: int = 2):
        super().__init__()
        self.series_emb = nn.Embedding(num_series, embedding_dim)
        self.lstm = nn.LSTM(1 + num_covariates + embedding_dim, hidden, layers, batch_first=True)
        self.params = nn.Linear(hidden, 3)

    def distribution(self, h: Tensor, scale: Tensor) -> StudentT:
        df, loc, s = self.params(h).unbind(-1)
        return StudentT(2 + F.softplus(df), loc * scale, (F.softplus(s) + 1e-4) * scale)

    def forward(self, series_id: Tensor, past_target: Tensor, covariates: Tensor, observed_mask: Optional[Tensor] = None) -> Tensor:
        """Negative log likelihood of target[1:] given target[:-1]."""
        scale = past_target.abs().mean(dim=1, keepdim=True) + 1e-3
        lagged = (past_target[:, :-1] / scale).unsqueeze(-1)
        emb = self.series_emb(series_id).unsqueeze(1).expand(-1, lagged.size(1), -1)
        h, _ = self.lstm(torch.cat([lagged, covariates[:, 1:], emb], dim=-1))
        nll = -self.distribution(h, scale).log_prob(past_target[:, 1:])
        if observed_mask is not None:
            m = observed_mask[:, 1:].float()
            return (nll * m).sum() / m.sum().clamp(min=1.0)
        return nll.mean()
