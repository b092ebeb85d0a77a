import torch
from torch import Tensor, nn

LAYOUT = {"batch_first": True}


class Seq2SeqTagger(nn.Module):
    def __init__(self, vocab: int, tags: int, width: int = 32):
        super().__init__()
        self.embed = nn.Embedding(vocab, width)
        self.forward_rnn = nn.GRU(width, width, **LAYOUT)
        self.mixer = nn.TransformerEncoderLayer(width, 2, 64, 0.1, "relu", 1e-5, True)
        self.backward_rnn = nn.GRU(width, width)
        self.tag = nn.Linear(2 * width, tags)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.mixer(self.embed(tokens))
        left, _ = self.forward_rnn(x)
        right, _ = self.backward_rnn(x.flip(1).transpose(0, 1))
        right = right.transpose(0, 1).flip(1)
        return self.tag(torch.cat((left, right), dim=-1))
