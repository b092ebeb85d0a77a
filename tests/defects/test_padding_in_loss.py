"""GD605, padding-in-loss: what the text shows."""

from __future__ import annotations

import pytest

from tests.defects.marks import marked, plain
from tests.defects.scanning import lines_of

HEAD = """\
import torch
import torch.nn.functional as F
from torch import nn

PAD = 0


class Reader(nn.Module):
    def __init__(self, vocab, width, pad_id=PAD):
        super().__init__()
        self.pad_id = pad_id
        self.wte = nn.Embedding(vocab, width, padding_idx=pad_id)
        self.mix = nn.GRU(width, width, batch_first=True)
        self.head = nn.Linear(width, vocab)
        self.each = nn.CrossEntropyLoss(reduction="none")
        self.known = nn.CrossEntropyLoss(ignore_index=PAD)

    def forward(self, ids):
        return self.head(self.mix(self.wte(ids))[0])

"""
METHODS = {
    "its own ids": """
    def loss(self, ids):
        z = self.head(self.mix(self.wte(ids[:, :-1]))[0])
        return F.cross_entropy(z.transpose(1, 2), ids[:, 1:])  # here
    """,
    "what is left out counts, by a factor": """
    def loss(self, ids):
        goal = ids[:, 1:]
        each = self.each(self(ids[:, :-1]).flatten(0, 1), goal.flatten())
        keep = goal.flatten().ne(self.pad_id).float()
        return torch.mean(each * keep)  # here
    """,
    "what is left out counts, filled with zeros": """
    def loss(self, ids):
        goal = ids[:, 1:]
        each = self.each(self(ids[:, :-1]).mT, goal)
        each = each.masked_fill(goal == self.pad_id, 0.0)
        return each.mean()  # here
    """,
    "what is left out counts, by a mask that is given": """
    def loss(self, ids, labels, attention_mask):
        each = F.cross_entropy(self(ids).mT, labels, reduction="none")
        return (attention_mask * each).mean()  # here
    """,
    "what torch leaves out counts": """
    def loss(self, ids, labels):
        each = F.cross_entropy(self(ids).mT, labels, ignore_index=PAD, reduction="none")
        return each.mean()  # here
    """,
}
STEPS = {
    "a training function": """
        def step(model, batch):
            ids = batch["ids"]
            z = model(ids[:, :-1])
            return F.cross_entropy(z.flatten(0, 1), ids[:, 1:].flatten())  # here
        """,
    "a script": """
        model = Reader(90, 64)
        criterion = nn.CrossEntropyLoss()
        for ids in loader:
            loss = criterion(model(ids[:, :-1]).mT, ids[:, 1:])  # here
        """,
}
TOP = "import torch\nfrom torch import nn\n"
COLLATED = """\
from torch.nn.utils.rnn import pad_sequence


def collate(batch):
    texts, tags = zip(*batch)
    tags = pad_sequence([torch.tensor(one) for one in tags], batch_first=True{filling})
    return pad_sequence([torch.tensor(one) for one in texts], batch_first=True), tags


def fit(net, loader):
    criterion = nn.CrossEntropyLoss()
    for x, y in loader:
        loss = criterion(net(x){scores}, y{labels})  # here
"""
ROWS = {"filling": "", "scores": ".flatten(0, 1)", "labels": ".view(-1)"}
RIGHT = {
    "a loss that knows": """
    def loss(self, ids):
        return self.known(self(ids[:, :-1]).mT, ids[:, 1:])
    """,
    "labels that the caller marks": """
    def loss(self, ids, labels):
        return F.cross_entropy(self(ids).mT, labels)
    """,
    "labels under a key of their own": """
    def step(self, batch):
        return F.cross_entropy(self(batch["ids"]).mT, batch["labels"])
    """,
    "labels that are marked here": """
    def loss(self, ids):
        goal = ids[:, 1:].clone()
        goal[goal == self.pad_id] = -100
        return F.cross_entropy(self(ids[:, :-1]).mT, goal)
    """,
    "positions that are picked": """
    def loss(self, ids):
        z, goal = self(ids[:, :-1]), ids[:, 1:]
        keep = goal != self.pad_id
        return F.cross_entropy(z[keep], goal[keep])
    """,
    "a mean over what is kept": """
    def loss(self, ids):
        goal = ids[:, 1:]
        each = self.each(self(ids[:, :-1]).mT, goal)
        keep = (goal != self.pad_id).float()
        return (each * keep).sum() / keep.sum()
    """,
    "a mean divided by the share of what is kept": """
    def loss(self, ids):
        goal = ids[:, 1:]
        keep = (goal != self.pad_id).float()
        each = (self.each(self(ids[:, :-1]).mT, goal) * keep).mean()
        return each / keep.mean()
    """,
    "a mean of what is picked": """
    def loss(self, ids):
        goal = ids[:, 1:]
        each = self.each(self(ids[:, :-1]).mT, goal)
        return each[goal != self.pad_id].mean()
    """,
    "weights that are no mask": """
    def loss(self, ids, labels, weights):
        each = F.cross_entropy(self(ids).mT, labels, reduction="none")
        return (each * weights).mean()
    """,
    "a weight by what the labels are": """
    def loss(self, ids, labels):
        each = F.cross_entropy(self(ids).mT, labels, reduction="none")
        return (each * (labels > 0)).mean()
    """,
    "a weight by confidence": """
    def loss(self, ids, labels):
        z = self(ids)
        each = F.cross_entropy(z.mT, labels, reduction="none")
        return (each * (z.softmax(-1).amax(-1) > 0.5)).mean()
    """,
    "a mean for each row": """
    def loss(self, ids, labels):
        each = F.cross_entropy(self(ids).mT, labels, ignore_index=PAD, reduction="none")
        return each.sum(1) / labels.ne(PAD).sum(1)
    """,
}


@pytest.mark.parametrize("body", METHODS.values(), ids=METHODS)
def test_padding_that_counts_is_seen(body: str) -> None:
    """Where it is trained on, or where the mean is taken."""
    text = HEAD + body.strip("\n") + "\n"
    assert lines_of("GD605", text) == marked(text)


@pytest.mark.parametrize("body", STEPS.values(), ids=STEPS)
def test_padding_of_the_model_that_is_trained_is_seen(body: str) -> None:
    """The table is the model's, and the loss somebody else's."""
    text = HEAD + plain(body)
    assert lines_of("GD605", text) == marked(text)


@pytest.mark.parametrize("body", RIGHT.values(), ids=RIGHT)
def test_padding_that_does_not_count_is_left_alone(body: str) -> None:
    """By the loss, the labels, or the mean."""
    assert lines_of("GD605", HEAD + body.strip("\n") + "\n") == []


def test_padding_that_ends_a_text_is_to_be_learned() -> None:
    """And a table that knows no padding says nothing."""
    text = HEAD + METHODS["its own ids"].strip("\n") + "\n"
    assert lines_of("GD605", text.replace("padding_idx=pad_id", "padding_idx=eos_id")) == []
    assert lines_of("GD605", text.replace(", padding_idx=pad_id", "")) == []


def test_labels_that_are_filled_up_with_a_class_are_seen() -> None:
    """By `pad_sequence`, which fills up with 0 unless it is told otherwise."""
    text = TOP + COLLATED.format(**ROWS)
    assert lines_of("GD605", text) == marked(text)
    marking = COLLATED.format(**{**ROWS, "filling": ", padding_value=-100"})
    assert lines_of("GD605", TOP + marking) == []
    knowing = COLLATED.format(**ROWS).replace("Loss()", "Loss(ignore_index=0)")
    assert lines_of("GD605", TOP + knowing) == []
    single = COLLATED.format(**{**ROWS, "scores": "", "labels": ""})
    assert lines_of("GD605", TOP + single) == []


def test_translations_are_their_own_targets() -> None:
    """Which the model is given beside what it translates."""
    text = HEAD.replace("def forward(self, ids)", "def forward(self, source, ids)") + plain("""
        def fit(loader):
            net = Reader(90, 64)
            criterion = nn.CrossEntropyLoss()
            for source, target in loader:
                out = net(source, target[:, :-1])
                loss = criterion(out.flatten(0, 1), target[:, 1:].flatten())  # here
    """)
    assert lines_of("GD605", text) == marked(text)
