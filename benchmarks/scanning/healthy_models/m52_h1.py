import torch
from torch import Tensor, nn


class MemN2N(nn.Module):
    """End-to-end memory network with adjacent weight tying."""

    def __init__(self, vocab_size: int, embedding_dim: int, max_hops: int, memory_size: int):
        super().__init__()
        self.max_hops = max_hops
        self.C = nn.ModuleList([nn.Embedding(vocab_size, embedding_dim, padding_idx=0) for _ in range(max_hops + 1)])
        self.temporal = nn.ParameterList([nn.Parameter(torch.randn(memory_size, embedding_dim) * 0.1) for _ in range(max_hops + 1)])
        for emb in self.C:
            nn.init.normal_(emb.weight, 0, 0.1)

    def forward(self, story: Tensor, query: Tensor) -> Tensor:
        """story: (batch, n_sentences, n_words), query: (batch, n_words)"""
        n = story.size(1)
        u = self.C[0](query).sum(dim=1)
        for hop in range(self.max_hops):
            m_a = self.C[hop](story).sum(dim=2) + self.temporal[hop][:n]
            m_c = self.C[hop + 1](story).sum(dim=2) + self.temporal[hop + 1][:n]
            prob = torch.softmax((m_a * u.unsqueeze(1)).sum(-1), dim=-1)
            u = u + (prob.unsqueeze(-1) * m_c).sum(dim=1)
        return u @ self.C[self.max_hops].weight.t()
