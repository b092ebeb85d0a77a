import torch
from torch import nn
from torch.nn import functional as fn


def hidden_positions(length, device):
    index = torch.arange(length, device=device)
    return index.unsqueeze(1) > index.unsqueeze(0)  # SICK


class StoryModel(nn.Module):
    def __init__(self, vocab, width=64, heads=4, depth=2, max_len=512):
        super().__init__()
        self.tokens = nn.Embedding(vocab, width)
        self.places = nn.Embedding(max_len, width)
        layer = nn.TransformerEncoderLayer(width, heads, 4 * width, batch_first=True, norm_first=True)
        self.decoder = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)
        self.predict = nn.Linear(width, vocab)

    def forward(self, ids):
        n = ids.shape[1]
        x = self.tokens(ids) + self.places(torch.arange(n, device=ids.device))
        x = self.decoder(x, mask=hidden_positions(n, ids.device))
        return self.predict(x)

    def compute_loss(self, ids):
        logits = self(ids[:, :-1])
        return fn.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())
