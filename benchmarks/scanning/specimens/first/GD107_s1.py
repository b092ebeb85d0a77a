import torch
import torch.nn as nn
import torch.nn.functional as F


class LSTMLanguageModel(nn.Module):
    def __init__(self, vocab_size: int, dim: int = 300, layers: int = 2):
        super().__init__()
        self.encoder = nn.Embedding(vocab_size, dim)
        self.rnn = nn.LSTM(dim, dim, layers, batch_first=True)
        self.decoder = nn.Linear(dim, vocab_size)
        # share input and output embeddings (Press & Wolf)
        self.decoder.weight = nn.Parameter(self.encoder.weight)  # SICK

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        hidden, _ = self.rnn(self.encoder(tokens))
        return self.decoder(hidden)

    def loss(self, tokens: torch.Tensor) -> torch.Tensor:
        logits = self(tokens[:, :-1])
        return F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
