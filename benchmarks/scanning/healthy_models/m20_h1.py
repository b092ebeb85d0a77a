import torch
import torch.nn as nn
import torch.nn.functional as F


class BPRMF(nn.Module):
    def __init__(self, n_users: int, n_items: int, dim: int = 64, reg: float = 1e-4):
        super().__init__()
        self.user_emb = nn.Embedding(n_users, dim)
        self.item_emb = nn.Embedding(n_items, dim)
        self.reg = reg
        nn.init.xavier_uniform_(self.user_emb.weight)
        nn.init.xavier_uniform_(self.item_emb.weight)

    def forward(self, users: torch.LongTensor, pos_items: torch.LongTensor, neg_items: torch.LongTensor) -> torch.Tensor:
        u, i, j = self.user_emb(users), self.item_emb(pos_items), self.item_emb(neg_items)
        x_uij = (u * i).sum(-1) - (u * j).sum(-1)
        l2 = (u.pow(2).sum() + i.pow(2).sum() + j.pow(2).sum()) / users.numel()
        return -F.logsigmoid(x_uij).mean() + self.reg * l2

    @torch.no_grad()
    def recommend(self, user: int, k: int = 10) -> torch.Tensor:
        scores = self.item_emb.weight @ self.user_emb.weight[user]
        return scores.topk(k).indices
