"""GD602, GD608, GD707 and GD807: labels that go nowhere, and states that stay."""

from __future__ import annotations

import pytest

from tests.defects.marks import marked
from tests.defects.scanning import lines_of

HEAD = """\
import torch
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(8, 9)
        self.past = torch.zeros(1, 8)

"""
SEEN = {
    "GD602 asked for, and not read": """
    def forward(self, x, ids, labels=None):
        z = self.head(x)
        if labels is not None and labels.shape[0]:
            return z, F.cross_entropy(z, ids)  # here
        return z, None
    """,
    "GD602 never asked for": """
    def forward(self, x, ids, targets):
        return F.cross_entropy(self.head(x), ids)  # here
    """,
    "GD608 a placeholder": """
    def forward(self, x, labels=None):
        loss = None
        if labels is not None:
            loss = None  # here
        return self.head(x), loss
    """,
    "GD707 a list": """
    def forward(self, x, past=[]):  # here
        past.append(x)
        return self.head(torch.cat(past))
    """,
    "GD707 a table, in a branch": """
    def attend(self, x, cache={}, *, use=True):  # here
        if use:
            cache["x"] = x
        return self.head(x)
    """,
    "GD807 a state that grows": """
    def forward(self, x):
        self.past = torch.cat([self.past, x.detach()])  # here
        return self.head(self.past.mean(0))
    """,
    "GD807 in a loop": """
    def forward(self, x):
        for part in x.split(2):
            self.past = torch.cat([self.past, part])  # here
        return self.head(self.past.mean(0))
    """,
    "GD807 once there is one": """
    def forward(self, x):
        k = self.head(x)
        if self.past is not None:
            k = torch.cat([self.past, k], dim=1)
        self.past = k  # here
        return k.mean(1)
    """,
    "GD807 two at a time": """
    def forward(self, x):
        keys, values = self.head(x).chunk(2, -1)
        keys = keys if self.past is None else torch.cat((self.past, keys), 1)
        self.past, self.values = keys.detach()[:, -64:], values  # here
        return keys @ values.mT
    """,
    "GD807 begun and gone on with": """
    def forward(self, x):
        if not hasattr(self, "rows"):
            self.rows = x
        else:
            self.rows = torch.cat([self.rows, x])  # here
        return self.head(self.rows)
    """,
}
UNSEEN = {
    "GD602 read in one branch": """
    def forward(self, x, ids, labels=None):
        goal = ids if labels is None else labels
        return F.cross_entropy(self.head(x), goal)
    """,
    "GD602 handed on": """
    def forward(self, x, ids, labels=None, **kwargs):
        return F.cross_entropy(self.head(x), ids) + self.extra(labels)
    """,
    "GD602 replaced by a decorator": """
    @with_labels
    def forward(self, x, ids, labels=None):
        return F.cross_entropy(self.head(x), ids)
    """,
    "GD608 made by another method": """
    def forward(self, x, labels=None):
        loss = None
        return self.head(x), loss

    def compute_loss(self, z, labels):
        return F.cross_entropy(z, labels)
    """,
    "GD608 made by what is called": """
    def forward(self, x, labels=None):
        loss = None
        if labels is not None:
            loss = self.criterion(x, labels)
        return self.head(x), loss
    """,
    "GD608 no loss at all": """
    def forward(self, x, labels=None):
        return self.head(x)
    """,
    "GD707 only read": """
    def forward(self, x, skipped=[]):
        return x if 0 in skipped else self.head(x)
    """,
    "GD707 copied first": """
    def forward(self, x, past=[]):
        past = [*past]
        past.append(x)
        return self.head(torch.cat(past))
    """,
    "GD707 nothing shared": """
    def forward(self, x, past=()):
        past += (x,)
        return self.head(torch.cat(past))
    """,
    "GD807 that can be reset": """
    def forward(self, x):
        self.past = torch.cat([self.past, x.detach()])
        return self.head(self.past.mean(0))

    def reset(self):
        self.past = torch.zeros(1, 8)
    """,
    "GD807 that is set anew": """
    def forward(self, x):
        self.past = torch.zeros(1, 8)
        self.past = torch.cat([self.past, x.detach()])
        return self.head(self.past.mean(0))
    """,
    "GD807 on demand": """
    def forward(self, x, keep=False):
        if keep:
            self.past = torch.cat([self.past, x.detach()])
        return self.head(self.past.mean(0))
    """,
    "GD807 outside of training": """
    def forward(self, x):
        k = self.head(x)
        if self.past is not None and not self.training:
            k = torch.cat([self.past, k], dim=1)
            self.past = k
        return k.mean(1)
    """,
    "GD807 a log alone": """
    def forward(self, x):
        if self.past is not None:
            seen = torch.cat([self.past, x])
            self.past = seen
        return self.head(x)
    """,
    "GD807 set back by who calls": """
    def forward(self, x):
        k = self.head(x)
        if self.past is not None:
            k = torch.cat([self.past, k], dim=1)
        self.past = k
        return k.mean(1)

def generate(net, x):
    net.past = None
    return net(x)
    """,
    "GD807 that nothing reads": """
    def forward(self, x):
        self.past = torch.cat([self.past, x.detach()])
        return self.head(x)
    """,
}


@pytest.mark.parametrize(("name", "body"), SEEN.items(), ids=SEEN)
def test_what_goes_nowhere_or_stays_is_seen(name: str, body: str) -> None:
    """On its line."""
    text = f"{HEAD}{body.strip(chr(10))}\n"
    assert lines_of(name[:5], text) == marked(text)


@pytest.mark.parametrize(("name", "body"), UNSEEN.items(), ids=UNSEEN)
def test_what_is_used_or_put_back_is_left_alone(name: str, body: str) -> None:
    """Whoever does it."""
    assert lines_of(name[:5], f"{HEAD}{body.strip(chr(10))}\n") == []


def test_a_default_of_no_network_is_left_alone() -> None:
    """That is a linter's matter."""
    text = "import torch\n\n\nclass Bag:\n    def put(self, x, all=[]):\n        all.append(x)\n"
    assert lines_of("GD707", text) == []
