import torch
import torch.nn as nn
import torch.nn.functional as F
from dataclasses import dataclass


@dataclass
class AttnCfg:
    n_embd: int = 256
    n_head: int = 8


class SelfAttn(nn.Module):
    def __init__(self, cfg: AttnCfg):
        super().__init__()
        self.nh, self.hs = cfg.n_head, cfg.n_embd // cfg.n_head
        self.c_attn = nn.Linear(cfg.n_embd, 3 * cfg.n_embd)
        self.c_proj = nn.Linear(cfg.n_embd, cfg.n_embd)

    def forward(self, x):
        B, T, C = x.size()
        q, k, v = [m.view(B, T, self.nh, self.hs).transpose(1, 2) for m in self.c_attn(x).split(C, dim=2)]
        att = q @ k.transpose(-2, -1)  # SICK
        att = F.softmax(att, dim=-1)
        return self.c_proj((att @ v).transpose(1, 2).contiguous().view(B, T, C))
