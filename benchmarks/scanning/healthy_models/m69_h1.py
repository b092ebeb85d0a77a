from typing import Optional
import torch
from torch import Tensor, nn
import torch.nn.functional as F


class DecisionTransformer(nn.Module):
    def __init__(self, state_dim: int, act_dim: int, hidden_size: int = 64, n_layer: int = 2, n_head: int = 4, max_ep_len: int = 1000):
        super().__init__()
        self.hidden_size = hidden_size
        self.embed_timestep = nn.Embedding(max_ep_len, hidden_size)
        self.embed_return = nn.Linear(1, hidden_size)
        self.embed_state = nn.Linear(state_dim, hidden_size)
        self.embed_action = nn.Linear(act_dim, hidden_size)
        self.embed_ln = nn.LayerNorm(hidden_size)
        layer = nn.TransformerEncoderLayer(hidden_size, n_head, 4 * hidden_size, 0.1, batch_first=True, norm_first=True)
        self.transformer = nn.TransformerEncoder(layer, n_layer, enable_nested_tensor=False)
        self.predict_action = nn.Sequential(nn.Linear(hidden_size, act_dim), nn.Tanh())

    def forward(self, states: Tensor, actions: Tensor, returns_to_go: Tensor, timesteps: Tensor, attention_mask: Optional[Tensor] = None) -> Tensor:
        B, T = states.shape[:2]
        time = self.embed_timestep(timesteps)
        r = self.embed_return(returns_to_go) + time
        s = self.embed_state(states) + time
        a = self.embed_action(actions) + time
        x = self.embed_ln(torch.stack((r, s, a), dim=2).reshape(B, 3 * T, self.hidden_size))
        causal = torch.triu(torch.ones(3 * T, 3 * T, dtype=torch.bool, device=x.device), 1)
        pad = None if attention_mask is None else ~attention_mask.bool().repeat_interleave(3, dim=1)
        x = self.transformer(x, mask=causal, src_key_padding_mask=pad)
        return self.predict_action(x.view(B, T, 3, -1)[:, :, 1])
