import torch
from torch import nn


class PrefixedEncoder(nn.Module):
    def __init__(self, vocab_size, width, num_tasks=4, num_domains=3):
        super().__init__()
        self.words = nn.Embedding(vocab_size, width)
        self.tasks = nn.Embedding(num_tasks, width)
        self.domains = nn.Embedding(num_domains, width)
        self.layer = nn.TransformerEncoderLayer(width, 4, 4 * width, batch_first=True)

    def forward(self, input_ids, task=None, domain=None):
        pieces = []
        if task is not None:
            pieces.append(self.tasks(task)[:, None])
        if domain is not None:
            pieces.append(self.domains(domain)[:, None])
        pieces.append(self.words(input_ids))
        x = torch.cat(pieces, dim=1)
        return self.layer(x)[:, -input_ids.size(1):]
