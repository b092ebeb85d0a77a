import torch
from torch import nn, Tensor


class Speaker(nn.Module):
    def __init__(self, vocab: int, dim: int):
        super().__init__()
        self.vocab = vocab
        self.lookup = nn.Embedding(vocab, dim)
        self.gru = nn.GRU(dim, dim, batch_first=True)
        self.final = nn.Linear(dim, vocab)
        self.criterion = nn.CrossEntropyLoss(ignore_index=-100)

    def forward(self, ids: Tensor) -> Tensor:
        return self.final(self.gru(self.lookup(ids))[0])

    def training_step(self, batch: dict, batch_idx: int) -> Tensor:
        ids = batch["input_ids"]
        gold = ids.flatten().roll(-1)  # SICK
        gold[-1] = -100
        return self.criterion(self(ids).flatten(end_dim=1), gold)
