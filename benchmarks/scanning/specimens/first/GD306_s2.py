import math

from torch import nn


class CrossAttention(nn.Module):
    """Caption tokens look at image features."""

    def __init__(self, d_text: int, d_image: int, heads: int):
        super().__init__()
        self.h = heads
        self.wq = nn.Linear(d_text, d_text, bias=False)
        self.wkv = nn.Linear(d_image, 2 * d_text, bias=False)
        self.wo = nn.Linear(d_text, d_text, bias=False)

    def forward(self, text, image):
        bsz, length, width = text.size()
        hd = width // self.h
        query = self.wq(text).unflatten(-1, (self.h, hd)).transpose(1, 2)
        key, value = self.wkv(image).chunk(2, dim=-1)
        key = key.unflatten(-1, (self.h, hd)).transpose(1, 2)
        value = value.unflatten(-1, (self.h, hd)).transpose(1, 2)

        scores = query @ key.transpose(-2, -1) / math.sqrt(hd)
        context = scores.softmax(dim=-1) @ value
        merged = context.reshape(bsz, length, width)  # SICK
        return text + self.wo(merged)
