"""GD602, GD608, GD707 and GD807: labels that go nowhere, and states that stay."""

from __future__ import annotations

import pytest

from tests.defects.marks import marked
from tests.defects.scanning import lines_of, scan_files

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
    "GD602 overwritten before they are read": """
    def forward(self, x, ids, labels=None):
        if labels is not None:
            labels = ids[:, 1:]
            return F.cross_entropy(self.head(x)[:, :-1].mT, labels)  # here
    """,
    "GD602 of no more use than their form": """
    def forward(self, x, targets):
        return F.cross_entropy(self.head(x), torch.zeros_like(targets))  # here
    """,
    "GD602 guesses, in a helper": """
    def loss_of(self, logits, targets):
        guesses = logits.argmax(dim=-1)
        return F.cross_entropy(logits, guesses.flatten())  # here
    """,
    "GD608 labels of logits that go nowhere": """
    def forward(self, x, labels=None):  # here
        logits = self.head(x)
        return {"logits": logits}
    """,
    "GD608 a step that keeps its loss": """
    def training_step(self, batch, index):  # here
        x, y = batch
        loss = F.cross_entropy(self.head(x), y)
        self.log("loss", loss)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())
    """,
    "GD608 a step without a loss": """
    def training_step(self, batch, index):  # here
        x, y = batch
        self.log("accuracy", (self.head(x).argmax(-1) == y).float().mean())

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())
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
    "GD602 filled in where they are missing": """
    def forward(self, x, ids, labels=None):
        if labels is None:
            labels = ids
        return F.cross_entropy(self.head(x), labels)
    """,
    "GD602 changed before they are used": """
    def forward(self, x, ids, labels=None):
        labels = labels.flatten()
        return F.cross_entropy(self.head(x), labels)
    """,
    "GD602 as many as rows": """
    def forward(self, x, labels=None):
        z = self.head(x)
        return F.cross_entropy(z @ z.mT, torch.arange(len(x)))
    """,
    "GD602 of an unknown helper": """
    def losses(self, x, labels):
        return F.cross_entropy(self.head(x), self.kept)
    """,
    "GD608 a step that goes back by itself": """
    def training_step(self, batch, index):
        loss = F.cross_entropy(self.head(batch[0]), batch[1])
        self.manual_backward(loss)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())
    """,
    "GD608 a step that is there to be overridden": """
    def training_step(self, batch, index):
        raise NotImplementedError(self.name())

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())
    """,
    "GD608 a step that gives its loss": """
    def training_step(self, batch, index):
        return {"loss": F.cross_entropy(self.head(batch[0]), batch[1])}

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())
    """,
    "GD608 a step that evaluates": """
    def validation_step(self, batch, index):
        self.log("loss", F.cross_entropy(self.head(batch[0]), batch[1]))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())
    """,
    "GD608 the label of a picture": """
    def forward(self, x, label=None):
        logits = self.head(x)
        return logits
    """,
    "GD608 labels that have to be given": """
    def forward(self, x, labels):
        logits = self.head(x)
        return logits
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


def test_labels_that_every_loss_of_a_framework_takes() -> None:
    """Who calls one of many losses gives all of them the same, whether they need it or not."""
    others = {
        f"losses/{name.lower()}.py": (
            "from torch import nn\nimport torch.nn.functional as F\n\n\n"
            f"class {name}Loss(nn.Module):\n    def __init__(self, model):\n"
            "        super().__init__()\n        self.model = model\n\n"
            "    def forward(\n        self, features, labels\n    ):\n"
            "        return F.cross_entropy(self.model(features), labels)\n"
        )
        for name in ("Pair", "Triple")
    }
    noisy = (
        "from torch import nn\nimport torch.nn.functional as F\n\n\n"
        "class NoisyLoss(nn.Module):\n    def __init__(self, model):\n"
        "        super().__init__()\n        self.model = model\n\n"
        "    def forward(self, features, labels):\n"
        "        logits = self.model(features['noisy'])\n"
        "        return F.cross_entropy(logits, features['ids'])\n"
    )
    told = ("GD602", 12)
    files = {"losses/__init__.py": "", **others, "losses/noisy.py": noisy}
    assert told not in scan_files(files)
    # A model of its own, a loss that one other is like, and guesses are nobody's demand.
    alone = {"losses/__init__.py": "", "losses/noisy.py": noisy}
    assert told in scan_files(alone)
    files["losses/noisy.py"] = noisy.replace("NoisyLoss", "Noisy")
    assert told in scan_files(files)
    files["losses/noisy.py"] = noisy.replace("features['ids']", "logits.argmax(-1)")
    assert told in scan_files(files)
