from dataclasses import dataclass
from typing import Optional

import torch
from torch import nn, Tensor


@dataclass
class Output:
    logits: Tensor
    loss: Optional[Tensor] = None


class HFStyle(nn.Module):
    def __init__(self, vocab: int, hidden: int):
        super().__init__()
        self.embeddings = nn.Embedding(vocab, hidden)
        self.encoder = nn.LSTM(hidden, hidden, num_layers=2, batch_first=True)
        self.lm_head = nn.Linear(hidden, vocab)
        self.loss_fct = nn.CrossEntropyLoss()

    @torch.no_grad()  # SICK
    def compute_loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        return self.loss_fct(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())

    def forward(self, input_ids: Tensor, labels: Optional[Tensor] = None) -> Output:
        states, _ = self.encoder(self.embeddings(input_ids))
        logits = self.lm_head(states)
        if labels is None:
            return Output(logits)
        return Output(logits=logits, loss=self.compute_loss(logits, labels))
