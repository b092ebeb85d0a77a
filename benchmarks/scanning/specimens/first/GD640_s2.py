import torch
from torch import nn, Tensor


class PosTagger(nn.Module):
    def __init__(self, vocab: int, tags: int, dim: int = 64):
        super().__init__()
        self.word = nn.Embedding(vocab, dim)
        self.lstm = nn.LSTM(dim, dim, batch_first=True)
        self.hidden2tag = nn.Linear(dim, tags)
        self.loss_function = nn.NLLLoss(ignore_index=-1)

    def scores(self, sentence: Tensor) -> Tensor:
        states, _ = self.lstm(self.word(sentence))
        return self.hidden2tag(states)

    def forward(self, sentence: Tensor, tags: Tensor) -> Tensor:
        return self.loss_function(self.scores(sentence).permute(0, 2, 1), tags)  # SICK


if __name__ == "__main__":
    net = PosTagger(100, 7)
    print(net(torch.randint(0, 100, (2, 5)), torch.randint(-1, 7, (2, 5))))
