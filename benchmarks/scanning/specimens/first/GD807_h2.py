import torch
from torch import nn


class StepDecoder(nn.Module):
    """Caption decoder that walks over the words and keeps its cell state on self."""

    def __init__(self, vocab, image_dim, width=48):
        super().__init__()
        self.words = nn.Embedding(vocab, width)
        self.start_h = nn.Linear(image_dim, width)
        self.start_c = nn.Linear(image_dim, width)
        self.cell = nn.LSTMCell(width, width)
        self.out = nn.Linear(width, vocab)
        self.loss_fn = nn.CrossEntropyLoss()
        self.state = None

    def reset(self, image):
        self.state = (torch.tanh(self.start_h(image)), self.start_c(image))

    def step(self, word):
        self.state = self.cell(self.words(word), self.state)
        return self.out(self.state[0])

    def forward(self, image, caption):
        self.reset(image)
        steps = [self.step(word) for word in caption.unbind(dim=1)]
        return torch.stack(steps, dim=1)

    def training_step(self, batch, batch_idx):
        image, caption = batch
        logits = self(image, caption[:, :-1])
        return self.loss_fn(logits.flatten(0, 1), caption[:, 1:].flatten())
