import torch
import torch.nn as nn
import torch.nn.functional as F


class StreamLM(nn.Module):
    """Reads one long text, given as a 1-d tensor of ids."""

    def __init__(self, vocab, dim):
        super().__init__()
        self.emb = nn.Embedding(vocab, dim)
        self.rnn = nn.GRU(dim, dim, num_layers=2)
        self.out = nn.Linear(dim, vocab)

    def forward(self, stream, state=None):
        assert stream.dim() == 1
        h, state = self.rnn(self.emb(stream), state)
        return self.out(h), state

    def loss(self, stream):
        logits, _ = self(stream)
        return F.cross_entropy(logits[:-1], stream[1:])


def batch_loss(model, rows):
    logits = torch.stack([model(row)[0] for row in rows])
    ahead = logits.narrow(1, 0, logits.size(1) - 1).flatten(0, 1)
    return F.cross_entropy(ahead, rows[:, 1:].flatten())


if __name__ == "__main__":
    m = StreamLM(20, 16)
    print(m.loss(torch.randint(0, 20, (30,))), batch_loss(m, torch.randint(0, 20, (3, 8))))
