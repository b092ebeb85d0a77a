from typing import Optional

import torch
from torch import Tensor, nn
import torch.nn.functional as F


class LateFusionSentiment(nn.Module):
    """Text + audio + video sentiment regression (MOSI-like)."""

    def __init__(self, text_dim: int, audio_dim: int, video_dim: int, hidden: int = 64, heads: int = 4):
        super().__init__()
        self.proj = nn.ModuleDict({"text": nn.Linear(text_dim, hidden), "audio": nn.Linear(audio_dim, hidden), "video": nn.Linear(video_dim, hidden)})
        self.rnn = nn.ModuleDict({k: nn.GRU(hidden, hidden, batch_first=True) for k in ("text", "audio", "video")})
        self.cross_ta = nn.MultiheadAttention(hidden, heads, batch_first=True)
        self.cross_tv = nn.MultiheadAttention(hidden, heads, batch_first=True)
        self.regressor = nn.Sequential(nn.LayerNorm(3 * hidden), nn.Linear(3 * hidden, hidden), nn.GELU(), nn.Linear(hidden, 1))

    def forward(self, text: Tensor, audio: Tensor, video: Tensor, text_mask: Optional[Tensor] = None) -> Tensor:
        t, a, v = (self.rnn[k](self.proj[k](x))[0] for k, x in (("text", text), ("audio", audio), ("video", video)))
        ta, _ = self.cross_ta(t, a, a)
        tv, _ = self.cross_tv(t, v, v)
        fused = torch.cat([t, ta, tv], dim=-1)
        if text_mask is not None:
            m = text_mask.unsqueeze(-1).float()
            fused = (fused * m).sum(1) / m.sum(1).clamp(min=1)
        else:
            fused = fused.mean(1)
        return self.regressor(fused).squeeze(-1)
