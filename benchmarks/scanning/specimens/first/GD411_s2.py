import torch
from torch import Tensor, nn


class ChessLM(nn.Module):
    """Predicts the next move from the moves so far."""

    def __init__(self, n_moves: int, max_len: int = 120, dim: int = 128):
        super().__init__()
        self.max_len = max_len
        self.move = nn.Embedding(n_moves, dim)
        self.ply = nn.Parameter(0.02 * torch.randn(1, max_len, dim))
        self.attention = nn.MultiheadAttention(dim, 8, batch_first=True)
        self.policy = nn.Linear(dim, n_moves)
        self.criterion = nn.CrossEntropyLoss()

    def forward(self, moves: Tensor) -> Tensor:
        n = moves.size(1)
        x = self.move(moves) + self.ply[:, :n]
        future = torch.triu(torch.ones(n, n, dtype=torch.bool, device=moves.device), 1)
        y, _ = self.attention(x, x, x, attn_mask=future, need_weights=False)
        return self.policy(x + y)

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        return self.criterion(self(batch[:, :-1]).transpose(1, 2), batch[:, 1:])

    @torch.no_grad()
    def play_out(self, moves: Tensor, plies: int) -> Tensor:
        for _ in range(plies):
            visible = moves[:, : self.max_len]  # SICK
            chosen = torch.multinomial(self(visible)[:, -1].softmax(-1), 1)
            moves = torch.cat([moves, chosen], dim=1)
        return moves
