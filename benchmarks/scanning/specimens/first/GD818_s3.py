import torch
import torch.nn as nn


class AttentiveStatsClassifier(nn.Module):
    """Bidirectional GRU whose outputs are pooled over time with learned weights."""

    def __init__(self, n_features, n_classes, hidden=32):
        super().__init__()
        self.rnn = nn.GRU(n_features, hidden, batch_first=True, bidirectional=True)
        self.attn = nn.Sequential(
            nn.Linear(2 * hidden, hidden),
            nn.Tanh(),
            nn.Linear(hidden, 1, bias=False),
        )
        self.classifier = nn.Linear(2 * hidden, n_classes)

    def attention_weights(self, states):
        scores = self.attn(states)
        return torch.softmax(scores, dim=-1)  # SICK

    def forward(self, sequence):
        states, _ = self.rnn(sequence)
        pooled = torch.sum(self.attention_weights(states) * states, dim=1)
        return self.classifier(pooled)
