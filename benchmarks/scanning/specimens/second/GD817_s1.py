import torch
import torch.nn as nn


class ReviewClassifier(nn.Module):
    def __init__(self, vocab_size, emb_dim=100, hidden=128, n_classes=2):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, emb_dim)
        self.lstm = nn.LSTM(emb_dim, hidden, num_layers=2)  # SICK
        self.fc = nn.Linear(hidden, n_classes)

    def forward(self, text):
        # text: (batch, seq_len)
        emb = self.embedding(text)
        out, (h, c) = self.lstm(emb)
        return self.fc(out[:, -1, :])
