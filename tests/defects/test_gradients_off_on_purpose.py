"""GD101: gradients that are off where no gradient is wanted, and what looks like it."""

from __future__ import annotations

import pytest

from tests.defects.marks import marked, plain
from tests.defects.scanning import lines_of, scan_files

HEAD = """\
import copy
import torch
import torch.nn.functional as F
from torch import nn


"""
NET = (
    HEAD
    + """\
class Net(nn.Module):
    def __init__(self, dim, tokenizer=None):
        super().__init__()
        self.a = nn.Linear(dim, dim)
        self.b = nn.Linear(dim, dim)
        self.tokenizer = tokenizer

"""
)

# What a method, or the forward, of `Net` does: sick ones are marked.
METHODS = {
    "a copy of a layer": """
        def forward(self, x):
            with torch.no_grad():
                fixed = copy.deepcopy(self.a)
            return self.b(fixed(x))
    """,
    "a layer beside its copy": """
        def forward(self, x):
            with torch.no_grad():  # here
                made = self.a(x)
                fixed = copy.deepcopy(self.a)
            return self.b(fixed(x) + made)
    """,
    "ids made into text": """
        def read(self, x):
            with torch.no_grad():
                tokens = self.a(x)
                words = [self.tokenizer.decode_ids(one) for one in tokens]
            return words, tokens
        def forward(self, x):
            return self.read(x)
    """,
    "an autoencoder's decoder": """
        @torch.no_grad()  # here
        def read(self, x):
            return self.a(x)
        def forward(self, x):
            return self.b(self.read(x))
    """,
    "said by the caller": """
        @torch.no_grad()
        def read(self, x):
            return self.a(x)
        def forward(self, x):
            '''Reads it all; no gradients through this.'''
            return self.read(x)
    """,
    "said of another thing": """
        @torch.no_grad()  # here
        def read(self, x):
            return self.a(x)
        def forward(self, x):
            '''Reads it all, without gradient checkpointing.'''
            return self.b(self.read(x))
    """,
    "for inference": """
        @torch.no_grad()
        def step(self, x, state):
            '''The same with a state (i.e. for inference).'''
            return self.a(x) + state
        def forward(self, x, state=None):
            return self.b(x) if state is None else self.step(x, state)
    """,
    "for training and inference": """
        @torch.no_grad()  # here
        def step(self, x):
            '''Used in training and for inference.'''
            return self.a(x)
        def forward(self, x):
            return self.b(self.step(x))
    """,
    "matches of scores that are a result themselves": """
        @torch.no_grad()
        def match(self, scores, data):
            best, ids = scores.max(-1)
            return {"ids": ids, "best": best}
        def forward(self, x, data):
            scores = self.a(x)
            data["scores"] = scores
            data.update(self.match(scores, data))
            return self.b(x)
    """,
    "matches beside their scores": """
        @torch.no_grad()
        def match(self, scores):
            return scores.softmax(-1)
        def forward(self, x):
            scores = self.a(x)
            best = self.match(scores)
            return scores, self.b(best)
    """,
    "scores that go nowhere but into the match": """
        @torch.no_grad()  # here
        def match(self, scores):
            return scores.softmax(-1)
        def forward(self, x):
            scores = self.a(x)
            return x, self.b(self.match(scores))
    """,
    "other scores under the same name": """
        @torch.no_grad()  # here
        def match(self, scores):
            return scores.softmax(-1)
        def forward(self, x):
            scores = self.a(x)
            best = self.match(scores)
            scores = self.b(best)
            return scores, best
    """,
    "a choice in a helper": """
        def forward(self, x):
            with torch.no_grad():
                far = self.a(x)
            return self.b(x)[nearest(far)]
    """,
    "values in a helper": """
        def forward(self, x):
            with torch.no_grad():  # here
                far = self.a(x)
            return self.b(x) * spread(far)
    """,
    "the item of a helper that is a choice": """
        def forward(self, x):
            with torch.no_grad():
                _, ids = both(self.a(x))
            return self.b(x)[ids]
    """,
    "the item of a helper that is a value": """
        def forward(self, x):
            with torch.no_grad():  # here
                far, _ = both(self.a(x))
            return self.b(x) * far
    """,
}
HELPERS = """

def nearest(far):
    _, ids = far.topk(1, dim=-1)
    return ids.flatten()


def spread(far):
    return far - far.mean()


def both(far):
    best, ids = far.max(-1)
    return best, ids
"""


@pytest.mark.parametrize("methods", METHODS.values(), ids=METHODS)
def test_what_learns_by_no_gradient_is_left_alone(methods: str) -> None:
    """Only the places that are marked are told."""
    indented = "".join(f"    {line}\n" for line in plain(methods).splitlines())
    text = NET + indented + HELPERS
    assert lines_of("GD101", text) == marked(text)


WHOLE = {
    "an assignment of targets": """
        class Assigner(nn.Module):
            @torch.no_grad()
            def forward(self, pd_scores, gt_labels):
                best = pd_scores.softmax(-1)
                return best * gt_labels
    """,
    "a metric": """
        class Agreement(nn.Module):
            @torch.no_grad()
            def forward(self, logits, targets):
                return (logits.softmax(-1) * targets).sum()
    """,
    "a loss": """
        class FocalLoss(nn.Module):
            @torch.no_grad()  # here
            def forward(self, logits, targets):
                return (logits.softmax(-1) * targets).sum()
    """,
    "an activation": """
        class Gelu(nn.Module):
            @torch.no_grad()  # here
            def forward(self, x):
                return x * torch.sigmoid(1.7 * x)
    """,
    "a norm without weights": """
        class Pixels(nn.Module):
            def __init__(self):
                super().__init__()
                self.norm = nn.InstanceNorm2d(1)
                self.mix = nn.Conv2d(1, 4, 3)
            def forward(self, image):
                with torch.no_grad():
                    image = self.norm(image)
                return self.mix(image)
    """,
    "a norm with weights": """
        class Pixels(nn.Module):
            def __init__(self):
                super().__init__()
                self.norm = nn.InstanceNorm2d(1, affine=True)
                self.mix = nn.Conv2d(1, 4, 3)
            def forward(self, image):
                with torch.no_grad():  # here
                    image = self.norm(image)
                return self.mix(image)
    """,
    "clusters that callers choose by": """
        class Clusters(nn.Module):
            def __init__(self, dim):
                super().__init__()
                self.register_buffer("means", torch.randn(4, dim))
            def forward(self, x):
                with torch.no_grad():
                    far = x @ self.means.t()
                return far, x.pow(2).mean()
        class Attention(nn.Module):
            def __init__(self, dim):
                super().__init__()
                self.q = nn.Linear(dim, dim)
                self.clusters = Clusters(dim)
            def forward(self, x):
                q = self.q(x)
                far, loss = self.clusters(q * 2)
                return q[far.topk(2, dim=0)[1]], loss
    """,
    "clusters that callers weigh with": """
        class Clusters(nn.Module):
            def __init__(self, dim):
                super().__init__()
                self.register_buffer("means", torch.randn(4, dim))
            def forward(self, x):
                with torch.no_grad():  # here
                    far = x @ self.means.t()
                return far, x.pow(2).mean()
        class Attention(nn.Module):
            def __init__(self, dim):
                super().__init__()
                self.q = nn.Linear(dim, dim)
                self.clusters = Clusters(dim)
            def forward(self, x):
                q = self.q(x)
                far, loss = self.clusters(q * 2)
                return q * far, loss
    """,
    "a running average through a helper": """
        class Averaged(nn.Module):
            def __init__(self, dim):
                super().__init__()
                self.a = nn.Linear(dim, dim)
                self.seen = None
            def forward(self, x):
                y = self.a(x)
                with torch.no_grad():
                    now = y.mean(0)
                self.seen = blend(self.seen, now)
                return y
            def report(self):
                return self.seen
        def blend(old, new):
            return new if old is None else 0.9 * old + 0.1 * new
    """,
}


@pytest.mark.parametrize("text", WHOLE.values(), ids=WHOLE)
def test_what_is_no_layer_is_left_alone(text: str) -> None:
    """Targets, metrics, choices and averages have no gradient to lose."""
    text = HEAD + plain(text)
    assert lines_of("GD101", text) == marked(text)


def test_a_function_of_torch_is_no_method_of_the_same_name() -> None:
    """`F.interpolate(x)` in another file calls no method of a diffusion that is called so."""
    sampler = NET + (
        "    @torch.no_grad()\n    def interpolate(self, x):\n        return self.a(x)\n\n"
        "    def forward(self, x):\n        return self.b(x)\n"
    )
    other = HEAD + (
        "from package.net import Net\n\n\nclass Up(nn.Module):\n"
        "    def __init__(self, dim, net):\n        super().__init__()\n"
        "        self.up = nn.Linear(dim, dim)\n        self.net = net\n\n"
        "    def forward(self, x):\n        return F.interpolate(self.up(x))\n"
    )
    files = {"package/__init__.py": "", "package/net.py": sampler, "package/up.py": other}
    assert [one for one in scan_files(files) if one[0] == "GD101"] == []
    files["package/up.py"] = other.replace("F.interpolate", "self.net.interpolate")
    assert [one for one in scan_files(files) if one[0] == "GD101"] == [("GD101", 14)]
