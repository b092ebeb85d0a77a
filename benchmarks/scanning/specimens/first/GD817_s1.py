import torch
import torch.nn as nn


class ReviewLSTM(nn.Module):
    def __init__(self, vocab_size, embed_dim=64, hidden_dim=64, num_classes=5):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_dim)
        self.lstm = nn.LSTM(embed_dim, hidden_dim, num_layers=2, dropout=0.2)  # SICK
        self.fc = nn.Linear(hidden_dim, num_classes)

    def forward(self, text):
        # text: (batch, seq_len)
        embedded = self.embedding(text)
        output, _ = self.lstm(embedded)
        return self.fc(output[:, -1, :])


if __name__ == "__main__":
    model = ReviewLSTM(vocab_size=1000)
    print(model(torch.randint(0, 1000, (32, 20))).shape)
