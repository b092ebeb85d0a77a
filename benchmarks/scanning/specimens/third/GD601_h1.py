import torch
import torch.nn as nn


class GRULanguageModel(nn.Module):
    def __init__(self, vocab_size, emb=128, hidden=256):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, emb)
        self.gru = nn.GRU(emb, hidden, batch_first=True)
        self.decoder = nn.Linear(hidden, vocab_size)

    def forward(self, tokens):
        h, _ = self.gru(self.embedding(tokens))
        return self.decoder(h)


class LMTask:
    def __init__(self, net, lr=1e-3):
        self.net = net
        self.criterion = nn.CrossEntropyLoss()
        self.optim = torch.optim.Adam(net.parameters(), lr=lr)

    def training_step(self, tokens):
        self.net.train()
        logits = self.net(tokens[:, :-1])
        loss = self.criterion(logits.permute(0, 2, 1), tokens[:, 1:])
        self.optim.zero_grad()
        loss.backward()
        self.optim.step()
        return loss.item()


if __name__ == "__main__":
    task = LMTask(GRULanguageModel(50))
    for _ in range(3):
        print(task.training_step(torch.randint(0, 50, (4, 16))))
