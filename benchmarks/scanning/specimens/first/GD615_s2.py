import torch
from torch import nn
from torch.nn.utils import clip_grad_value_


class RNNTrainer:
    def __init__(self, n_in, n_hidden, clip=0.5):
        self.rnn = nn.RNN(n_in, n_hidden, batch_first=True)
        self.fc = nn.Linear(n_hidden, 1)
        self.params = [*self.rnn.parameters(), *self.fc.parameters()]
        self.opt = torch.optim.RMSprop(self.params, lr=1e-3)
        self.clip = clip

    def loss(self, x, y):
        out, _ = self.rnn(x)
        return nn.functional.mse_loss(self.fc(out[:, -1]), y)

    def fit(self, batches):
        for x, y in batches:
            loss = self.loss(x, y)
            loss.backward()
            self.opt.step()
            clip_grad_value_(self.params, self.clip)  # SICK
            self.opt.zero_grad()
