import torch.nn as nn


class SentimentRNN(nn.Module):
    def __init__(self, vocab_size, embed_dim=50, hidden_size=64, num_classes=2):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_dim)
        self.rnn = nn.GRU(embed_dim, hidden_size, batch_first=True)
        self.drop = nn.Dropout(0.3)
        self.fc = nn.Linear(hidden_size, num_classes)
        self.hidden = None

    def forward(self, review):
        embedded = self.drop(self.embedding(review))
        start = None if self.training else self.hidden
        output, last = self.rnn(embedded, start)
        self.hidden = last.detach()  # SICK
        return self.fc(output[:, -1])
