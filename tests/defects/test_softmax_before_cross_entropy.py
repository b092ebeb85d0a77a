"""GD604, softmax-before-cross-entropy: what the text shows."""

from __future__ import annotations

import pytest

from tests.defects.marks import marked, plain
from tests.defects.scanning import lines_of, scan_files

HEAD = """\
import torch
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.criterion = nn.CrossEntropyLoss()
        self.other = nn.MSELoss()
        self.soft = nn.Softmax(dim=-1)
        self.head = nn.Sequential(nn.Linear(8, 9), nn.Softmax(dim=-1))
        self.open = nn.Sequential(nn.Softmax(dim=-1), nn.Linear(8, 9))
        self.either = nn.CrossEntropyLoss()
        self.either = nn.MSELoss()

    def loss(self, z, y, ready=False):
"""
SEEN = {
    "in the call": "return F.cross_entropy(z.softmax(-1), y)",
    "by its name": "return F.cross_entropy(torch.softmax(z, dim=-1), y)",
    "in another shape": "return F.cross_entropy(F.softmax(z, -1)[:, :-1].flatten(0, 1), y)",
    "by the class's own": "return self.criterion(F.softmax(z, -1).view(-1, 9), y)",
    "by a loss built here": "return nn.CrossEntropyLoss(reduction='sum')(z.softmax(1), y)",
    "by a layer": "return self.criterion(self.soft(z), y)",
    "by the last of several layers": "return F.cross_entropy(self.head(z)[:, -1], y)",
    "by keyword": "return F.cross_entropy(target=y, input=torch.softmax(input=z, dim=1))",
    "on both ways": "p = z.softmax(-1) if ready else F.softmax(z[:, 1:], -1)\n"
    "        return self.criterion(p, y)",
    "without a logarithm": "return F.nll_loss(z.softmax(-1).transpose(1, 2), y)",
}
UNSEEN = {
    "logits": "return F.cross_entropy(z, y)",
    "logarithms": "return F.cross_entropy(z.log_softmax(-1), y)",
    "logarithms of probabilities": "return F.nll_loss(z.softmax(-1).log(), y)",
    "a layer before the last": "return F.cross_entropy(self.open(z), y)",
    "a loss that may be another": "return self.either(z.softmax(-1), y)",
    "from somewhere else": "return F.cross_entropy(self.made(z), y)",
    "powers of probabilities": "p = z.softmax(-1)\n        p.log_()\n"
    "        return F.nll_loss(p, y)",
    "soft targets": "return F.cross_entropy(z, y.softmax(-1))",
    "another loss": "return self.other(z.softmax(-1), y)",
    "attention before": "return F.cross_entropy(z.softmax(-1) @ z, y)",
    "one of two": "p = z.softmax(-1)\n        p = z if ready else p\n"
    "        return F.cross_entropy(p, y)",
    "changed afterwards": "p = z.softmax(-1)\n        p += z\n        return F.cross_entropy(p, y)",
}


@pytest.mark.parametrize("lines", SEEN.values(), ids=SEEN)
def test_probabilities_in_a_cross_entropy_are_seen(lines: str) -> None:
    """On the line of the softmax."""
    assert lines_of("GD604", f"{HEAD}        {lines}\n") == [18]


def test_a_loss_in_a_local_name_is_seen() -> None:
    """Where the name holds nothing else."""
    text = f"{HEAD}        p = z.softmax(-1)\n        loss = nn.CrossEntropyLoss()\n"
    assert lines_of("GD604", f"{text}        return loss(p, y)\n") == [18]
    other = "        loss = loss if ready else F.mse_loss\n        return loss(p, y)\n"
    assert lines_of("GD604", f"{text}{other}") == []


def test_probabilities_behind_a_name_are_seen_where_they_are_made() -> None:
    """One assignment is all there is to the name."""
    text = f"{HEAD}        p = z.softmax(-1)\n        q = p.flatten(0, 1)\n"
    assert lines_of("GD604", f"{text}        return F.cross_entropy(q, y.flatten())\n") == [18]


@pytest.mark.parametrize("lines", UNSEEN.values(), ids=UNSEEN)
def test_what_may_be_logits_is_left_alone(lines: str) -> None:
    """Only what is plainly a softmax counts."""
    assert lines_of("GD604", f"{HEAD}        {lines}\n") == []


NETWORKS = """\
import torch
import torch.nn.functional as F
from torch import nn


class Sure(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(8, 3), nn.Softmax(dim=1))

    def forward(self, x):
        return self.layers(x)


class Plain(nn.Module):
    def __init__(self):
        super().__init__()
        self.out = nn.Linear(8, 3)

    def forward(self, x):
        return self.out(x)

    def predict(self, x):
        return self(x).softmax(-1)

    def both(self, x):
        z = self(x)
        return z, z.softmax(-1)


"""
BEHIND = {
    "a network made here": """
        def fit(loader):
            model = Sure().to("cuda")
            criterion = nn.CrossEntropyLoss()
            for x, y in loader:
                out = model(x)
                loss = criterion(out, y)  # here
        """,
    "a network and a loss that a function is given": """
        def epoch(net, loader, loss_fn):
            for x, y in loader:
                loss_fn(net(x), y)  # here

        def main(loader):
            model = nn.DataParallel(Sure())
            criterion = nn.CrossEntropyLoss().cuda()
            epoch(model, loader, loss_fn=criterion)
            epoch(model, loader, criterion)
        """,
    "a network and a loss that a class keeps": """
        class Trainer:
            def __init__(self, model, criterion):
                self.model, self.device = model, "cuda"
                self.criterion = nn.CrossEntropyLoss().to(self.device)

            def step(self, x, y):
                return self.criterion(self.model(x), y)  # here

        Trainer(Sure(), None)
        """,
    "a loss that a class is given": """
        class Trainer:
            def __init__(self, criterion):
                self.model = Sure()
                self.criterion = criterion

            def step(self, x, y):
                return self.criterion(self.model(x), y)  # here

        def main():
            loss = nn.CrossEntropyLoss()
            return Trainer(loss)
        """,
    "a script": """
        model = Sure()
        criterion = nn.CrossEntropyLoss()
        for x, y in loader:
            loss = criterion(model(x), y)  # here
        """,
    "globals of a script": """
        model = Sure()
        criterion: nn.Module = nn.CrossEntropyLoss()

        def step(x, y):
            return criterion(model(x), y)  # here
        """,
    "a stack without a class": """
        def fit(x, y):
            net = nn.Sequential(nn.Linear(8, 3), nn.Softmax(dim=-1))
            return F.cross_entropy(net(x), y)  # here
        """,
    "kept from zero": """
        def fit(x, y):
            p = x.softmax(-1).clamp(min=1e-8)
            return F.cross_entropy(p + 1e-8, y)  # here
        """,
    "the mean of several": """
        def fit(nets, x, y):
            p = torch.stack([net(x).softmax(-1) for net in nets]).mean(0)  # here
            return F.cross_entropy(p, y)
        """,
    "a stack by name": """
        from collections import OrderedDict

        def fit(x, y):
            net = nn.Sequential(OrderedDict([("a", nn.Linear(8, 3)), ("b", nn.Softmax(dim=1))]))
            return F.cross_entropy(net(x), y)  # here
        """,
    "a stack of a list": """
        def fit(x, y):
            net = nn.Sequential(*[nn.Linear(8, 3), nn.Softmax(dim=1)])
            return F.cross_entropy(net(x), y)  # here
        """,
    "another name of the function": """
        class Trainer:
            def __init__(self):
                self.model = Sure()
                self.criterion = F.cross_entropy

            def step(self, x, y):
                return self.criterion(self.model(x), y)  # here

        def fit(x, y):
            loss_fn = F.nll_loss
            return loss_fn(x.softmax(-1), y)  # here
        """,
    "a method that predicts": """
        def fit(x, y):
            return F.cross_entropy(Plain().predict(x), y)  # here
        """,
    "one of two results": """
        def fit(x, y):
            net = Plain()
            _, p = net.both(x)
            return F.cross_entropy(p, y)  # here
        """,
    "a helper that is given probabilities": """
        def distance(p, y):
            return F.cross_entropy(p, y)  # here

        def fit(x, y):
            return distance(x.softmax(-1), y)
        """,
}
OPEN = {
    "a network that gives logits": """
        def fit(x, y):
            return F.cross_entropy(Plain()(x), y)
        """,
    "the other one of two results": """
        def fit(x, y):
            net = Plain()
            z, p = net.both(x)
            return F.cross_entropy(z, y)
        """,
    "one of two networks": """
        def fit(x, y, sure):
            net = Sure() if sure else Plain()
            return F.cross_entropy(net(x), y)
        """,
    "a network that a caller chooses": """
        def fit(net, x, y):
            return F.cross_entropy(net(x), y)

        def main(x, y):
            fit(Sure(), x, y)
            fit(Plain(), x, y)
        """,
    "a network of which there are several": """
        def fit(model, x, y):
            return F.cross_entropy(model(x), y)
        """,
    "a helper that is given both": """
        def distance(p, y):
            return F.cross_entropy(p, y)

        def fit(x, y):
            return distance(x.softmax(-1), y) + distance(x, y)
        """,
    "logits that are limited": """
        def fit(x, y):
            return F.cross_entropy(Plain()(x).clamp(min=-5) + 1, y)
        """,
    "another loss under the name": """
        def epoch(net, loader, loss_fn):
            for x, y in loader:
                loss_fn(net(x), y)

        def main(loader):
            epoch(Sure(), loader, nn.MSELoss())
        """,
    "probabilities in evaluation alone": """
        class Either(nn.Module):
            def __init__(self):
                super().__init__()
                self.out = nn.Linear(8, 3)

            def forward(self, x):
                return self.out(x) if self.training else self.out(x).softmax(-1)

        def fit(x, y):
            return F.cross_entropy(Either()(x), y)
        """,
}


@pytest.mark.parametrize("name", BEHIND)
def test_probabilities_behind_a_call_are_seen(name: str) -> None:
    """At the loss, for the softmax is somewhere else."""
    text = NETWORKS + plain(BEHIND[name])
    assert lines_of("GD604", text) == marked(text)


@pytest.mark.parametrize("name", OPEN)
def test_calls_that_may_give_logits_are_left_alone(name: str) -> None:
    """All that may be called has to give probabilities."""
    assert lines_of("GD604", NETWORKS + plain(OPEN[name])) == []


def test_the_only_network_of_a_file_is_the_one_that_is_trained() -> None:
    """Where the function that is given it is called by nobody in sight."""
    first = NETWORKS.partition("class Plain")[0]
    text = f"{first}def fit(model, x, y):\n    return F.cross_entropy(model(x), y)  # here\n"
    assert lines_of("GD604", text) == marked(text)
    assert lines_of("GD604", text.replace("model", "teacher")) == []


def test_a_network_of_another_file_is_read() -> None:
    """Where it is imported from the project."""
    text = (
        "import torch.nn.functional as F\nfrom net import Sure\n\n\n"
        "def fit(x, y):\n    model = Sure()\n    return F.cross_entropy(model(x), y)\n"
    )
    assert ("GD604", 7) in scan_files({"net.py": NETWORKS, "fit.py": text})
