from torch import nn


class SaveMixin:
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.saved_steps = []

    def mark(self, step):
        self.saved_steps.append(step)


class Tagger(SaveMixin, nn.Module):
    def __init__(self, vocab, tags, dim=64):
        self.vocab = vocab
        self.n_tags = tags
        SaveMixin.__init__(self)
        self.emb = nn.Embedding(vocab, dim)
        self.rnn = nn.GRU(dim, dim, batch_first=True, bidirectional=True)
        self.out = nn.Linear(2 * dim, tags)

    def forward(self, ids):
        h, _ = self.rnn(self.emb(ids))
        return self.out(h)


class FlatTagger(Tagger):
    def forward(self, ids):
        return super().forward(ids).flatten(0, 1)
