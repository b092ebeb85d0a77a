from typing import Dict

import torch
from torch import Tensor, nn
import torch.nn.functional as F


class RewardModel(nn.Module):
    """Bradley-Terry reward model on top of a causal backbone that returns hidden states."""

    def __init__(self, backbone: nn.Module, hidden_size: int, pad_token_id: int = 0):
        super().__init__()
        self.backbone = backbone
        self.v_head = nn.Linear(hidden_size, 1, bias=False)
        self.pad_token_id = pad_token_id

    def score(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        hidden = self.backbone(input_ids)
        rewards = self.v_head(hidden).squeeze(-1)
        last = attention_mask.long().sum(dim=1) - 1
        return rewards.gather(1, last.unsqueeze(1)).squeeze(1)

    def forward(self, chosen_ids: Tensor, chosen_mask: Tensor, rejected_ids: Tensor, rejected_mask: Tensor) -> Dict[str, Tensor]:
        r_c = self.score(chosen_ids, chosen_mask)
        r_r = self.score(rejected_ids, rejected_mask)
        loss = -F.logsigmoid(r_c - r_r).mean()
        return {"loss": loss, "chosen_rewards": r_c, "rejected_rewards": r_r, "accuracy": (r_c > r_r).float().mean().detach()}


class GRUBackbone(nn.Module):
    def __init__(self, vocab_size: int, hidden_size: int):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, hidden_size)
        self.gru = nn.GRU(hidden_size, hidden_size, batch_first=True)

    def forward(self, input_ids: Tensor) -> Tensor:
        return self.gru(self.embed(input_ids))[0]
