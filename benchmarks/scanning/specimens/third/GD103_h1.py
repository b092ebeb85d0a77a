import torch
import torch.nn as nn


class TextCNN(nn.Module):
    def __init__(self, vocab, dim=128, widths=(3, 4, 5), channels=100, classes=2):
        super().__init__()
        self.emb = nn.Embedding(vocab, dim)
        self.convs = []
        for i, w in enumerate(widths):
            conv = nn.Conv1d(dim, channels, w, padding=w // 2)
            self.add_module(f"conv{i}", conv)
            self.convs.append(conv)
        self.drop = nn.Dropout(0.5)
        self.out = nn.Linear(channels * len(widths), classes)

    def forward(self, ids):
        x = self.emb(ids).transpose(1, 2)
        pooled = [torch.relu(conv(x)).amax(dim=-1) for conv in self.convs]
        return self.out(self.drop(torch.cat(pooled, dim=1)))


model = TextCNN(5000)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
