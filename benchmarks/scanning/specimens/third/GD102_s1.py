import torch
import torch.nn as nn


class DocumentClassifier(nn.Module):
    def __init__(self, n_words, emb_dim=100, hidden=128, n_classes=4):
        super(DocumentClassifier, self).__init__()
        self.embedding = nn.Embedding(n_words, emb_dim, padding_idx=0)
        self.rnn = nn.GRU(emb_dim, hidden, batch_first=True, bidirectional=True)
        self.attn = nn.Linear(2 * hidden, 1)
        self.fc = nn.Sequential(
            nn.Linear(2 * hidden, hidden),
            nn.ReLU(),
            nn.Dropout(0.3),
            nn.Linear(hidden, n_classes),
        )

    def forward(self, tokens):
        mask = tokens.eq(0)
        out, _ = self.rnn(self.embedding(tokens))
        weights = self.attn(out).squeeze(-1).masked_fill(mask, float("-inf"))
        weights = torch.softmax(weights, dim=1)
        doc = torch.bmm(weights.unsqueeze(1), out).squeeze(1).data  # SICK
        return self.fc(doc)


def train_epoch(model, loader, optimizer, criterion):
    model.train()
    for tokens, labels in loader:
        optimizer.zero_grad()
        loss = criterion(model(tokens), labels)
        loss.backward()
        optimizer.step()
