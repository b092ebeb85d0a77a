from typing import Optional, Tuple

import torch
from torch import nn, Tensor


class Tagger(nn.Module):
    def __init__(self, n_words: int, n_tags: int, size: int = 100):
        super().__init__()
        self.word_emb = nn.Embedding(n_words, size)
        self.bilstm = nn.LSTM(size, size // 2, batch_first=True, bidirectional=True)
        self.tag = nn.Linear(size, n_tags)

    def forward(self, words: Tensor, targets: Optional[Tensor] = None) -> Tuple[Tensor, Optional[Tensor]]:
        emissions = self.tag(self.bilstm(self.word_emb(words))[0])
        metric = None
        if targets is not None:
            metric = (emissions.argmax(-1) == targets).float().mean()
        return emissions, metric  # SICK
