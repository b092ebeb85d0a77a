"""Code that stands in packages of others, once told of, and right as it is."""

from __future__ import annotations

import pytest

from tests.defects.marks import plain
from tests.defects.scanning import lines_of

HEAD = """\
from functools import wraps

import torch
import torch.nn.functional as F
from torch import einsum, nn


"""
RIGHT = {
    "a class of the name of torch's": (
        "GD817",
        """
        class Transformer(nn.Module):
            def __init__(self, dim):
                super().__init__()
                self.net = nn.Linear(dim, dim)

            def forward(self, x):
                return self.net(x)


        class Vision(nn.Module):
            def __init__(self, dim):
                super().__init__()
                self.patches = nn.Linear(48, dim)
                self.transformer = Transformer(dim)

            def forward(self, image):
                x = self.patches(image)
                b, n, _ = x.shape
                x = self.transformer(x)
                return x.mean(dim=1)
        """,
    ),
    "what a decorator keeps": (
        "GD113",
        """
        def once(method):
            @wraps(method)
            def inner(self, *args):
                if not hasattr(self, "made"):
                    self.made = method(self, *args)
                return self.made
            return inner


        class Wrapper(nn.Module):
            def __init__(self, net):
                super().__init__()
                self.net = net

            @once
            def projector(self, x):
                projector = nn.Linear(x.size(-1), 8)
                return projector.to(x)

            def forward(self, x):
                return self.projector(x)(self.net(x))
        """,
    ),
    "lists that a loop takes apart": (
        "GD116",
        """
        class Stages(nn.Module):
            def __init__(self, dim, depth):
                super().__init__()
                self.layers = nn.ModuleList([])
                for _ in range(depth):
                    first = nn.ModuleList([nn.Linear(dim, dim), nn.Linear(dim, dim)])
                    second = nn.ModuleList([nn.Linear(dim, dim), nn.Linear(dim, dim)])
                    self.layers.append(nn.ModuleList([nn.Linear(dim, dim), first, second]))

            def forward(self, x):
                for conv, (attend, feed), (grid, fill) in self.layers:
                    x = fill(grid(feed(attend(conv(x)))))
                return x
        """,
    ),
    "the numbers of the rows": (
        "GD602",
        """
        class Ranking(nn.Module):
            def __init__(self, model, width):
                super().__init__()
                self.model, self.width = model, width

            def forward(self, features, labels):
                scores = self.model(features)
                labels = torch.arange(len(scores), device=scores.device) * self.width
                if self.width > 1:
                    labels = labels + 1
                return F.cross_entropy(scores, labels)
        """,
    ),
    "heads that are mixed by a weight": (
        "GD818",
        """
        class Talking(nn.Module):
            def __init__(self, dim, heads):
                super().__init__()
                self.to_qkv = nn.Linear(dim, 3 * dim)
                self.mix = nn.Parameter(torch.randn(heads, heads))
                self.attend = nn.Softmax(dim=-1)

            def forward(self, q, k, v):
                attn = self.attend(einsum("b h i d, b h j d -> b h i j", q, k) * 0.1)
                attn = einsum("b h i j, h g -> b g i j", attn, self.mix)
                return einsum("b h i j, b h j d -> b h i d", attn, v)
        """,
    ),
    "channels that a view parts": (
        "GD306",
        """
        class Norm(nn.Module):
            def __init__(self, heads, size, bands):
                super().__init__()
                self.heads, self.size, self.bands = heads, size, bands
                self.gain = nn.Parameter(torch.ones(1, heads, size, 1, bands))

            def forward(self, x):
                B, _, T, _ = x.shape
                x = x.view([B, self.heads, self.size, T, self.bands])
                return self.gain * x
        """,
    ),
    "tables on another device": (
        "GD807",
        """
        class Angles(nn.Module):
            def __init__(self, dim):
                super().__init__()
                self.tables = [torch.randn(9, dim), torch.randn(9, dim)]

            def forward(self, x, device):
                self.tables = [table.to(device) for table in self.tables]
                return x + self.tables[0][: x.size(1)]
        """,
    ),
    "a stack that is told where it begins": (
        "GD807",
        """
        class Steps(nn.Module):
            def __init__(self, dim, stack):
                super().__init__()
                self.key = nn.Linear(dim, dim)
                self.seen = stack

            def forward(self, rows):
                found = []
                for step, x in enumerate(rows):
                    past = self.seen.get() if step else x
                    self.seen.append(step, self.key(x))
                    found.append(x + past)
                return torch.stack(found)
        """,
    ),
    "a method of the name of torch's": (
        "GD619",
        """
        class Speech(nn.Module):
            def __init__(self, ctc):
                super().__init__()
                self.ctc = ctc

            def forward(self, x):
                self.ctc.softmax(x)
                return self.ctc.loss(x)
        """,
    ),
    "noise by design": (
        "GD808",
        """
        class BandNoise(nn.Module):
            def __init__(self, drop_rate):
                super().__init__()
                self.drop_rate = drop_rate

            def forward(self, waves):
                keep = torch.rand(waves.shape[-1]) > self.drop_rate
                return waves * keep
        """,
    ),
}


@pytest.mark.parametrize(("code", "body"), RIGHT.values(), ids=RIGHT)
def test_nothing_is_told_of_it(code: str, body: str) -> None:
    """Whatever it resembles."""
    assert lines_of(code, f"{HEAD}{plain(body)}\n") == []
