import torch
import torch.nn as nn
import torch.nn.functional as F


class RecipeLM(nn.Module):
    def __init__(self, vocab_size, emb=100, hidden=300):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, emb)
        self.lstm = nn.LSTM(emb, hidden, batch_first=True)
        self.linear = nn.Linear(hidden, vocab_size)

    def forward(self, x, hidden=None):
        out, hidden = self.lstm(self.embedding(x), hidden)
        return self.linear(out), hidden

    def compute_loss(self, x):
        scores, _ = self(x[:, :-1])
        return F.cross_entropy(scores.flatten(0, 1), x[:, 1:].flatten())

    @torch.no_grad()
    def sample(self, prefix, n_words):
        """Draws a continuation from the model."""
        words, hidden = [prefix], None
        x = prefix
        for _ in range(n_words):
            scores, hidden = self(x, hidden)
            probs = F.softmax(scores[:, -1], dim=-1)
            x = probs.argmax(dim=-1, keepdim=True)  # SICK
            words.append(x)
        return torch.cat(words, dim=1)
