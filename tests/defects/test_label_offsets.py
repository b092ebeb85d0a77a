"""GD603 and GD607, wrong-label-shift and loss-across-rows: what the text shows."""

from __future__ import annotations

import pytest

from tests.defects.marks import marked, plain
from tests.defects.scanning import lines_of

HEAD = """\
import torch
import torch.nn.functional as F
from torch import nn


class Reader(nn.Module):
    def __init__(self, vocab, width):
        super().__init__()
        self.wte = nn.Embedding(vocab, width)
        self.mix = nn.GRU(width, width, batch_first=True)
        self.head = nn.Linear(width, vocab)
        self.criterion = nn.CrossEntropyLoss()

"""
BOTH = HEAD.replace("batch_first=True", "batch_first=True, bidirectional=True")
COPIES = {
    "its own ids": """
    def forward(self, ids):
        h, _ = self.mix(self.wte(ids))
        z = self.head(h)
        return z, F.cross_entropy(z.view(-1, z.size(-1)), ids.view(-1))  # here
    """,
    "its own ids, by the class's loss": """
    def forward(self, ids):
        z = self.head(self.mix(self.wte(ids))[0])
        return self.criterion(z.transpose(1, 2), ids.long())  # here
    """,
    "what a step gave it": """
    def training_step(self, batch):
        z = self(batch[:, :-1])
        goal = batch[:, :-1]  # here
        return F.cross_entropy(z.flatten(0, 1), goal.flatten())
    """,
    "a batch under its key": """
    def training_step(self, batch):
        ids = batch["ids"]
        z = self(ids)
        return F.cross_entropy(z.flatten(0, 1), ids.flatten())  # here
    """,
    "the first of a model's results": """
    def training_step(self, ids):
        z, _ = self(ids)
        return F.cross_entropy(z.mT, ids)  # here
    """,
    "an item of a batch": """
    def training_step(self, batch):
        return F.cross_entropy(self(batch[0]).mT, batch[0])  # here
    """,
    "rolled the wrong way": """
    def forward(self, ids):
        z = self.head(self.mix(self.wte(ids))[0])
        goal = ids.roll(1, dims=1)  # here
        return F.cross_entropy(z.mT, goal)
    """,
    "rolled, and shifted after that": """
    def training_step(self, ids):
        goal = torch.roll(ids, shifts=-1, dims=-1)
        return F.cross_entropy(self(ids)[:, :-1].mT, goal[:, 1:])  # here
    """,
    "joined again, and shifted after that": """
    def training_step(self, ids):
        goal = torch.cat([ids[:, 1:], ids[:, :1]], dim=1)  # here
        return F.cross_entropy(self(ids)[:, :-1].mT, goal[:, 1:])
    """,
    "the tokens before, joined again": """
    def training_step(self, ids):
        goal = torch.cat([ids[:, :1], ids[:, :-1]], 1)  # here
        return F.cross_entropy(self(ids).mT, goal)
    """,
    "shifted twice": """
    def loss(self, z, labels):
        labels = labels[:, 1:]  # here
        return F.cross_entropy(z[:, :-2].flatten(0, 1), labels[:, 1:].flatten())
    """,
    "shifted by what is read and by the loss": """
    def training_step(self, batch):
        z = self(batch[:, :-1])
        goal = batch[:, 1:]  # here
        return F.cross_entropy(z[:, :-1].flatten(0, 1), goal[:, 1:].flatten())
    """,
    "shifted the wrong way": """
    def loss(self, z, labels):
        goal = labels[..., :-1].contiguous()  # here
        return F.cross_entropy(z[..., 1:, :].reshape(-1, 9), goal.view(-1))
    """,
}
RIGHT = {
    "the second of a model's results": """
    def training_step(self, ids):
        _, aside = self(ids)
        return F.cross_entropy(aside.mT, ids)
    """,
    "another item of a batch": """
    def training_step(self, batch):
        return F.cross_entropy(self(batch[0]).mT, batch[1])
    """,
    "rolled by one": """
    def forward(self, ids):
        z = self.head(self.mix(self.wte(ids))[0])
        goal = ids.roll(-1, dims=1)
        goal[:, -1] = -100
        return F.cross_entropy(z.mT, goal)
    """,
    "joined again": """
    def training_step(self, ids):
        goal = torch.cat([ids[:, 1:], torch.full_like(ids[:, :1], -100)], dim=1)
        return F.cross_entropy(self(ids).mT, goal)
    """,
    "inputs that are one behind": """
    def training_step(self, ids):
        read = torch.cat([torch.zeros_like(ids[:, :1]), ids[:, :-1]], dim=1)
        return F.cross_entropy(self(read).mT, ids)
    """,
    "labels from outside": """
    def loss(self, z, labels):
        return F.cross_entropy(z.flatten(0, 1), labels.flatten())
    """,
    "labels from outside, shifted": """
    def loss(self, z, labels):
        return F.cross_entropy(z[:, :-1].flatten(0, 1), labels[:, 1:].flatten())
    """,
    "read without the last, told without the first": """
    def training_step(self, batch):
        z = self(batch[:, :-1])
        return F.cross_entropy(z.flatten(0, 1), batch[:, 1:].flatten())
    """,
    "ids that were moved": """
    def forward(self, ids):
        z = self.head(self.mix(self.wte(ids.roll(1, 1)))[0])
        return F.cross_entropy(z.flatten(0, 1), ids.flatten())
    """,
    "ids behind a first vector": """
    def forward(self, ids):
        x = self.wte(ids[:, :-1])
        z = self.head(self.mix(torch.cat([self.first, x], 1))[0])
        return F.cross_entropy(z.flatten(0, 1), ids.flatten())
    """,
    "two tokens ahead, on purpose": """
    def mtp_loss(self, z, labels):
        return F.cross_entropy(z[:, :-2].flatten(0, 1), labels[:, 2:].flatten())
    """,
    "a prefix before the scores": """
    def loss(self, z, labels):
        return F.cross_entropy(z[:, 4:].flatten(0, 1), labels.flatten())
    """,
    "two of a batch": """
    def training_step(self, batch):
        ids, targets = batch
        return F.cross_entropy(self(ids).flatten(0, 1), targets.flatten())
    """,
    "a cut that only a run knows": """
    def loss(self, z, labels, n):
        return F.cross_entropy(z[:, n:-1].flatten(0, 1), labels[:, n + 1 :].flatten())
    """,
    "two that may be": """
    def loss(self, z, labels, shifted):
        goal = labels if shifted else labels[:, 2:]
        return F.cross_entropy(z.mT, goal)
    """,
}


@pytest.mark.parametrize("body", COPIES.values(), ids=COPIES)
def test_a_wrong_shift_is_seen(body: str) -> None:
    """On the slice of the labels, or on the loss."""
    text = f"{HEAD}{body.strip(chr(10))}\n"
    assert lines_of("GD603", text) == marked(text)


@pytest.mark.parametrize("body", RIGHT.values(), ids=RIGHT)
def test_what_may_be_the_next_token_is_left_alone(body: str) -> None:
    """Whether labels from outside are shifted is not to be seen."""
    assert lines_of("GD603", f"{HEAD}{body.strip(chr(10))}\n") == []


@pytest.mark.parametrize("name", ["its own ids", "what a step gave it"])
def test_who_sees_the_whole_text_may_tell_it_in_place(name: str) -> None:
    """A network that reads both ways, or that does not say how it reads."""
    assert lines_of("GD603", f"{BOTH}{COPIES[name].strip(chr(10))}\n") == []
    linear = HEAD.replace("nn.GRU(width, width, batch_first=True)", "nn.Linear(width, width)")
    assert lines_of("GD603", f"{linear}{COPIES[name].strip(chr(10))}\n") == []


ACROSS = {
    "both in the call": "return F.cross_entropy(z.view(-1, 9)[:-1], y.view(-1)[1:])",
    "one name each": "flat = z.flatten(0, 1)\n    goal = y.reshape(-1)\n"
    "    return F.cross_entropy(flat[:-1], goal[1:])",
    "rolled as one row": "return F.cross_entropy(z.view(-1, 9), y.flatten().roll(-1))",
    "rolled without a dimension": "return F.cross_entropy("
    "z.view(-1, 9), torch.roll(y, -1).view(-1))",
    "joined again": "flat, goal = z.flatten(0, 1), y.view(-1)\n"
    "    return F.cross_entropy(flat, torch.cat([goal[1:], goal[:1]]))",
    "changed in type": "flat, goal = z.flatten(0, 1), y.flatten()\n"
    "    return F.cross_entropy(flat[:-1].float(), goal[1:].long())",
}
KEPT = {
    "shifted first": "return F.cross_entropy(z[:, :-1].flatten(0, 1), y[:, 1:].flatten())",
    "as many rows of both": "return F.cross_entropy(z.view(-1, 9)[:-1], y.view(-1)[:-1])",
    "rolled by row": "return F.cross_entropy(z.view(-1, 9), y.roll(-1, dims=1).flatten())",
    "no rows that are rolled": "return F.cross_entropy(z, y.roll(-1))",
    "rolled, and the ends of rows marked": "goal = y.flatten().roll(-1)\n"
    "    goal[7::8] = -100\n    return F.cross_entropy(z.flatten(0, 1), goal)",
    "no rows at all": "return F.cross_entropy(z[:-1], y[1:])",
    "those that count": "return F.cross_entropy(z.view(-1, 9)[mask], y.view(-1)[mask])",
}


@pytest.mark.parametrize("body", ACROSS.values(), ids=ACROSS)
def test_a_shift_of_flattened_rows_is_seen(body: str) -> None:
    """Where the labels are cut."""
    text = (
        plain("import torch\nimport torch.nn.functional as F\n")
        + f"\n\ndef loss(z, y, mask):\n    {body}\n"
    )
    assert lines_of("GD607", text) == [text.count("\n")]


@pytest.mark.parametrize("body", KEPT.values(), ids=KEPT)
def test_rows_that_are_kept_apart_are_left_alone(body: str) -> None:
    """The order of cutting and flattening decides."""
    text = (
        plain("import torch\nimport torch.nn.functional as F\n")
        + f"\n\ndef loss(z, y, mask):\n    {body}\n"
    )
    assert lines_of("GD607", text) == []


SHIFTING = """\
import torch
import torch.nn.functional as F
from torch import nn


class Reader(nn.Module):
    def __init__(self, vocab, width):
        super().__init__()
        self.wte = nn.Embedding(vocab, width)
        self.mix = nn.GRU(width, width, batch_first=True)
        self.head = nn.Linear(width, vocab)

    def forward(self, ids, targets=None):
        z = self.head(self.mix(self.wte(ids))[0])
        if targets is None:
            return z, None
        loss = F.cross_entropy(z[:, :-1].flatten(0, 1), targets[:, 1:].flatten())  # here
        return z, loss


"""
UNSHIFTED = SHIFTING.replace("z[:, :-1]", "z").replace("targets[:, 1:]", "targets")
UNSHIFTED = UNSHIFTED.replace("  # here", "")
NEVER = {
    "ids that are their own labels": """
        def fit(model: Reader, loader):
            for ids in loader:
                _, loss = model(ids, targets=ids)  # here
        """,
    "pairs of the same pieces": """
        def batch(text, size):
            starts = torch.randint(len(text) - 9, (size,))
            x = torch.stack([text[i : i + 8] for i in starts])
            y = torch.stack([text[i : i + 8] for i in starts])
            return x, y

        def fit(text):
            model = Reader(90, 64)
            x, y = batch(text, 4)
            return model(x, y)[1]  # here
        """,
}
TWICE = {
    "pairs of a data set": """
        class Chunks:
            def __getitem__(self, i):
                return self.text[i : i + 8], self.text[i + 1 : i + 9]

        def fit(model: Reader, loader):
            for x, y in loader:
                _, loss = model(x, targets=y)
        """,
    "a batch of stacked pieces": """
        def batch(text, size):
            starts = torch.randint(len(text) - 9, (size,))
            x = torch.stack([text[i : i + 8] for i in starts])
            y = torch.stack([text[i + 1 : i + 9] for i in starts])
            if torch.cuda.is_available():
                x, y = x.pin_memory().to("cuda"), y.pin_memory().to("cuda")
            return x, y

        def fit(text):
            model = Reader(90, 64)
            x, y = batch(text, 4)
            x, y = x.long(), y.long()
            return model(x, y)[1]
        """,
    "slices in the call": """
        model = Reader(90, 64)
        for ids in loader:
            _, loss = model(ids[:, :-1], ids[:, 1:])
        """,
}
ONCE = {
    "ids that are their own labels": """
        def fit(model: Reader, loader):
            for ids in loader:
                _, loss = model(ids, ids)
        """,
    "pairs that are not shifted": """
        class Chunks:
            def __getitem__(self, i):
                return self.text[i : i + 8], self.marked[i : i + 8]

        def fit(model: Reader, loader):
            for x, y in loader:
                _, loss = model(x, targets=y)
        """,
    "one of two calls": """
        def fit(loader):
            model = Reader(90, 64)
            for ids in loader:
                model(ids[:, :-1], ids[:, 1:])
                model(ids, ids)
        """,
    "pairs of two kinds": """
        class Chunks:
            def __getitem__(self, i):
                return self.text[i : i + 8], self.text[i + 1 : i + 9]

        class Marked:
            def __getitem__(self, i):
                return self.text[i : i + 8], self.marked[i : i + 8]

        def fit(model: Reader, loader):
            for x, y in loader:
                _, loss = model(x, targets=y)
        """,
}


@pytest.mark.parametrize("name", TWICE)
def test_labels_that_are_shifted_before_and_in_the_loss_are_seen(name: str) -> None:
    """Where the loss shifts them once more."""
    text = SHIFTING + plain(TWICE[name])
    assert lines_of("GD603", text) == marked(text)


@pytest.mark.parametrize("name", ONCE)
def test_labels_that_the_loss_alone_shifts_are_left_alone(name: str) -> None:
    """Or of which some calls give others."""
    assert lines_of("GD603", SHIFTING + plain(ONCE[name])) == []


@pytest.mark.parametrize("name", NEVER)
def test_labels_that_nothing_shifts_are_seen(name: str) -> None:
    """Where the model is given them."""
    text = UNSHIFTED + plain(NEVER[name])
    assert lines_of("GD603", text) == marked(text)
    both = UNSHIFTED.replace("batch_first=True", "batch_first=True, bidirectional=True")
    assert lines_of("GD603", both + plain(NEVER[name])) == []


@pytest.mark.parametrize("name", TWICE)
def test_labels_that_are_shifted_outside_of_the_loss_are_left_alone(name: str) -> None:
    """As a model of nanoGPT's form is given them."""
    assert lines_of("GD603", UNSHIFTED + plain(TWICE[name])) == []
