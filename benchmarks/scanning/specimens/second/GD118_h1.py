import torch
import torch.nn as nn

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


class SegmentEncoder(nn.Module):
    def __init__(self, dim, split):
        super().__init__()
        self.seg = nn.Embedding(2, dim)
        self.split = split

    def forward(self, x):
        ids = x.new_zeros(x.shape[:2], dtype=torch.long)
        ids[:, self.split:] = 1
        return x + self.seg(ids)


def build(dim=32):
    return SegmentEncoder(dim, 4).to(DEVICE)
