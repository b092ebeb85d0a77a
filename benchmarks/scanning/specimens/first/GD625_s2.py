import torch
from torch import nn, Tensor


class LitRanker(nn.Module):
    def __init__(self, n_items: int, dim: int = 32):
        super().__init__()
        self.items = nn.Embedding(n_items, dim)
        self.rnn = nn.GRU(dim, dim, batch_first=True)

    def forward(self, history: Tensor) -> Tensor:
        _, h = self.rnn(self.items(history))
        return h[-1] @ self.items.weight.t()

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        history, clicked = batch
        scores = self(history)
        return nn.CrossEntropyLoss(scores, clicked)  # SICK

    def configure_optimizers(self):
        return torch.optim.Adagrad(self.parameters(), lr=0.05)
