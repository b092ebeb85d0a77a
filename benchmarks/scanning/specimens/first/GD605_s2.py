import torch
from torch import nn, Tensor


class Seq(nn.Module):
    def __init__(self, vocab: int, width: int, pad_id: int = 1):
        super().__init__()
        self.pad_id = pad_id
        self.embed = nn.Embedding(vocab, width, padding_idx=pad_id)
        self.lstm = nn.LSTM(width, width, batch_first=True)
        self.head = nn.Linear(width, vocab)
        self.ce = nn.CrossEntropyLoss(reduction="none")

    def forward(self, ids: Tensor) -> Tensor:
        return self.head(self.lstm(self.embed(ids))[0])

    def loss(self, ids: Tensor) -> Tensor:
        logits = self(ids[:, :-1])
        gold = ids[:, 1:]
        per_token = self.ce(logits.flatten(0, 1), gold.flatten()).view_as(gold)
        keep = (gold != self.pad_id).float()
        return (per_token * keep).mean()  # SICK


if __name__ == "__main__":
    m = Seq(40, 16)
    print(m.loss(torch.tensor([[5, 6, 7, 1, 1], [8, 9, 10, 11, 12]])))
