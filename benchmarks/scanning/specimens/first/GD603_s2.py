import torch
from torch import nn, Tensor
from torch.utils.data import Dataset


class Chunks(Dataset):
    def __init__(self, stream: Tensor, block: int):
        self.stream, self.block = stream, block

    def __len__(self):
        return (len(self.stream) - 1) // self.block

    def __getitem__(self, i):
        a = i * self.block
        return self.stream[a:a + self.block], self.stream[a + 1:a + self.block + 1]


class LSTMLanguageModel(nn.Module):
    def __init__(self, vocab, dim):
        super().__init__()
        self.encoder = nn.Embedding(vocab, dim)
        self.lstm = nn.LSTM(dim, dim, batch_first=True)
        self.decoder = nn.Linear(dim, vocab)
        self.ce = nn.CrossEntropyLoss()

    def forward(self, x: Tensor, y: Tensor):
        logits = self.decoder(self.lstm(self.encoder(x))[0])
        return logits, self.ce(logits[:, :-1].flatten(0, 1), y[:, 1:].flatten())  # SICK


def fit(model, loader, lr=1e-3):
    opt = torch.optim.AdamW(model.parameters(), lr=lr)
    for x, y in loader:
        _, loss = model(x, y)
        opt.zero_grad(set_to_none=True)
        loss.backward()
        opt.step()


if __name__ == "__main__":
    ds = Chunks(torch.randint(0, 90, (5000,)), 64)
    fit(LSTMLanguageModel(90, 64), torch.utils.data.DataLoader(ds, batch_size=8, shuffle=True))
