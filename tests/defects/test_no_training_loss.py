"""GD601, no-training-loss: which models are reported, and what measurements say of them."""

from __future__ import annotations

import pytest

from gptdoctor.core.findings import Conviction, Status
from gptdoctor.core.measurements.training_interface import TrainingInterface
from gptdoctor.defects.training_interface.no_training_loss import DEFECT
from tests.defects.marks import plain
from tests.defects.records import NO_RECORD
from tests.defects.scanning import lines_of, scan_files, scan_suspicions

HEAD = """\
import abc
import torch
import torch.nn.functional as F
from torch import nn


"""

MODEL = """\
class Net({base}):
    def __init__(self, vocab, dim):
        super().__init__()
        self.wte = nn.Embedding(vocab, dim)
        self.lm_head = nn.Linear(dim, vocab)

    def forward(self, input_ids):
        return self.lm_head(self.wte(input_ids))
"""

REPORTED = {
    "logits only": "",
    "a loss for the router alone": """
    def balance(self, probs):
        aux_loss = probs.var()
        return aux_loss
""",
    "labels that nobody reads": """
    def step(self, input_ids, labels=None):
        return self(input_ids)
""",
    "a likelihood that is not picked": """
    def certainty(self, logits, index):
        logp = F.log_softmax(logits, -1)
        return logits.gather(-1, index) + logp.exp().sum()
""",
    "the entropy of its own guesses": """
    def doubt(self, ids):
        logp = self(ids).log_softmax(-1)
        p = logp.exp()
        return -(p * logp).sum(-1)
""",
}

HEADS = {
    "an attribute of the configuration": "nn.Linear(c.n_embd, c.vocab_size)",
    "a key of the configuration": 'nn.Linear(c["emb_dim"], c["vocab_size"])',
    "the table's own size": "nn.Linear(64, c.words)",
    "the length of the table's own list": "nn.Linear(64, len(letters))",
    "a keyword": "nn.Linear(in_features=64, out_features=c.words, bias=False)",
    "another linear layer": "QuantLinear(64, c.vocab_size)",
    "a convolution": "nn.Conv1d(64, c.vocab_size, 1)",
}

WITH_LOSS = {
    "cross_entropy": """
    def step(self, ids):
        return F.cross_entropy(self(ids[:, :-1]).transpose(1, 2), ids[:, 1:])
""",
    "a criterion of its own": """
    def step(self, ids, goal):
        return self.criterion(self(ids), goal)
""",
    "labels that are read": """
    def learn(self, ids, labels):
        return helper(self(ids), labels)
""",
    "training_step": """
    def training_step(self, batch, index):
        return self.helper(batch)
""",
    "picked likelihoods": """
    def score(self, ids):
        logp = self(ids).log_softmax(-1)
        return -logp.gather(-1, ids[..., None]).mean()
""",
    "targets that are smoothed by hand": """
    def score(self, ids, goal):
        z = self(ids)
        q = torch.full_like(z, 0.1 / z.size(-1)).scatter_(-1, goal[..., None], 0.9)
        return -(q * z.log_softmax(-1)).sum(-1).mean()
""",
    "likelihoods that an index picks": """
    def score(self, ids, goal):
        logp = F.log_softmax(self(ids).flatten(0, 1), dim=-1)
        return -logp[torch.arange(len(goal)), goal].mean()
""",
    "the logarithm of a picked probability": """
    def score(self, ids):
        p = self(ids).softmax(-1)
        return -torch.log(p.gather(-1, ids[..., None])).mean()
""",
    "a distribution's own likelihood": """
    def score(self, ids, goal):
        return -torch.distributions.Categorical(logits=self(ids)).log_prob(goal).mean()
""",
    "a likelihood by logsumexp": """
    def score(self, z, ids):
        return (z.logsumexp(-1) - torch.logsumexp(z, -1).gather(-1, ids)).mean()
""",
    "a helper of the module": """
    def score(self, ids):
        return distance(self(ids), ids)


def distance(z, goal):
    return F.nll_loss(z.log_softmax(-1), goal)
""",
    "a wrapper that says what it takes": """

class Trainer(nn.Module):
    def __init__(self, net: Net):
        super().__init__()
        self.net = net

    def forward(self, ids):
        return F.cross_entropy(self.net(ids[:, :-1]).mT, ids[:, 1:])
""",
    "a function that takes the only model of the file": """

def step(model, ids):
    return F.cross_entropy(model(ids[:, :-1]).mT, ids[:, 1:])
""",
    "a class that takes the only model of the file": """

class Coach:
    def __init__(self, model):
        self.model = model

    def step(self, ids):
        return F.cross_entropy(self.model(ids[:, :-1]).mT, ids[:, 1:])
""",
    "a function that makes the model": """

def main(batches):
    reader = Net(90, 64)
    for ids in batches:
        F.cross_entropy(reader(ids[:, :-1]).mT, ids[:, 1:]).backward()
""",
    "a script that makes the model": """

reader = Net(90, 64)
loss = F.cross_entropy(reader(torch.zeros(1, 8).long()).mT, torch.zeros(1, 8).long())
""",
    "a function that says what it takes": """

def learn(model: "Net", ids):
    return F.cross_entropy(model(ids[:, :-1]).mT, ids[:, 1:])
""",
}

BASES = {
    "a base that is not known": "PreTrainedModel",
    "a base from a package": "library.LanguageModel",
}

TABLES = {
    "a lookup by product": "return one_hot(ids) @ self.wte.weight",
    "another class uses the head": "return self.wte(ids)",
}

OTHER_OUTPUTS = {
    "a backbone": "nn.Linear(dim, dim)",
    "a classifier": "nn.Linear(dim, n_classes)",
    "a router": "nn.Linear(dim, num_experts)",
}


def model(base: str = "nn.Module") -> str:
    """The plain model."""
    return HEAD + MODEL.format(base=base)


@pytest.mark.parametrize("methods", REPORTED.values(), ids=REPORTED)
def test_a_model_without_a_loss_is_reported(methods: str) -> None:
    """On the line of the class, and only there."""
    assert lines_of("GD601", model() + methods) == [7]


def test_a_loss_for_another_model_of_the_file_is_none_of_this_one() -> None:
    """Of several models a function takes we do not know which; one that only runs it has none."""
    other = MODEL.format(base="nn.Module").replace("class Net", "class Other")
    step = "\ndef step(model, ids):\n    return F.cross_entropy(model(ids).mT, ids)\n"
    assert lines_of("GD601", f"{model()}\n\n{other}\n{step}") == [7, 17]
    shown = "\nif __name__ == '__main__':\n    print(Net(90, 64)(torch.zeros(1, 8).long()).shape)\n"
    assert lines_of("GD601", model() + shown) == [7]


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_projections_to_the_vocabulary_are_known(head: str) -> None:
    """By the name of the size, or because a table has as many rows."""
    size = "len(letters)" if "letters" in head else "c.words"
    text = f"""
        class Net(nn.Module):
            def __init__(self, c):
                super().__init__()
                self.wte = nn.Embedding({size}, 64)
                self.out = {head}

            def forward(self, ids):
                return self.out(self.wte(ids))
    """
    assert lines_of("GD601", HEAD + plain(text)) == [7]


@pytest.mark.parametrize(
    "use",
    [
        "h @ self.wte.weight.t()",
        "F.linear(h, self.wte.weight)",
        "torch.matmul(h, self.wte.weight.T)",
    ],
)
def test_tied_heads_are_known(use: str) -> None:
    """Logits may come from the table itself."""
    text = f"""
        class Net(nn.Module):
            def __init__(self, n):
                super().__init__()
                self.wte = nn.Embedding(n, 64)

            def forward(self, ids):
                h = self.wte(ids)
                return {use}
    """
    assert lines_of("GD601", HEAD + plain(text)) == [7]


def test_a_head_in_a_part_is_known() -> None:
    """The projection may stand in another class of the model."""
    text = """
        class Vote(nn.Module):
            def __init__(self, dim, vocab_size):
                super().__init__()
                self.leaves = nn.ModuleList([nn.Linear(dim, vocab_size) for _ in range(2)])

            def forward(self, x):
                return sum(leaf(x) for leaf in self.leaves)

        class Net(nn.Module):
            def __init__(self, vocab_size):
                super().__init__()
                self.wte = nn.Embedding(vocab_size, 64)
                self.vote = Vote(64, vocab_size)

            def forward(self, ids):
                return self.vote(self.wte(ids))
    """
    assert lines_of("GD601", HEAD + plain(text)) == [15]


@pytest.mark.parametrize("rest", WITH_LOSS.values(), ids=WITH_LOSS)
def test_a_model_with_a_loss_is_left_alone(rest: str) -> None:
    """Wherever the loss stands in the model's text, or in what says that it takes the model."""
    assert lines_of("GD601", model() + rest) == []


def test_the_loss_of_a_base_counts() -> None:
    """A base of the project is read, in another file too."""
    base = "import torch.nn as nn\n\nclass Base(nn.Module):\n    def compute_loss(self): ...\n"
    text = HEAD + "from base import Base\n" + MODEL.format(base="Base")
    assert [rule for rule, _ in scan_files({"base.py": base, "model.py": text})] == []
    silent = base.replace("compute_loss", "describe")
    assert ("GD601", 8) in scan_files({"base.py": silent, "model.py": text})


@pytest.mark.parametrize("base", BASES.values(), ids=BASES)
def test_bases_that_cannot_be_read_may_bring_the_loss(base: str) -> None:
    """What the text cannot tell is left alone."""
    assert lines_of("GD601", model(f"{base}, nn.Module")) == []


@pytest.mark.parametrize("base", ["nn.Module, abc.ABC", "torch.jit.ScriptModule"])
def test_bases_that_bring_no_loss_are_known(base: str) -> None:
    """Mixins of the standard library and torch's own modules."""
    assert lines_of("GD601", model(base)) == [7]


@pytest.mark.parametrize("head", OTHER_OUTPUTS.values(), ids=OTHER_OUTPUTS)
def test_models_without_logits_are_left_alone(head: str) -> None:
    """An encoder or a classifier has another loss than the next token."""
    text = model().replace("nn.Linear(dim, vocab)", head)
    assert lines_of("GD601", text) == []


@pytest.mark.parametrize("use", TABLES.values(), ids=TABLES)
def test_models_that_use_no_head_are_left_alone(use: str) -> None:
    """A table that looks tokens up is no head, nor is a layer that the class does not run."""
    text = f"""
        class Net(nn.Module):
            def __init__(self, n):
                super().__init__()
                self.wte = nn.Embedding(n, 64)
                self.head = nn.Linear(64, n)

            def forward(self, ids):
                {use}
    """
    assert lines_of("GD601", HEAD + plain(text)) == []


def test_the_place_is_the_first_line_and_the_extent_the_class() -> None:
    """So that running any line of the class is running the place."""
    (found,) = (one for one in scan_suspicions(model()) if one.rule == "GD601")
    assert (found.location.line, found.location.end_line, found.location.column) == (7, 7, 1)
    assert found.location.end_column == len("class Net(nn.Module):") + 1
    assert (found.symbol, found.extent) == ("Net", (7, 14))


def convictions(*, returned: bool, methods: tuple[str, ...] = ()) -> list[Conviction]:
    """What is read in one measurement."""
    measurement = TrainingInterface(
        label_parameters=(),
        loss_returned=returned,
        loss_methods=methods,
        idle_labels="",
        idle_at=None,
        loss=4.6 if returned or methods else None,
        uniform_loss=4.57,
    )
    return list(DEFECT.convicts["training-interface"](measurement, NO_RECORD))


def test_no_loss_anywhere_confirms() -> None:
    """At the class of the record's model."""
    (found,) = convictions(returned=False)
    assert found.status is Status.CONFIRMED
    assert found.place is not None
    assert (found.place.symbol, found.place.line) == ("Net", 1)


@pytest.mark.parametrize(("returned", "methods"), [(True, ()), (False, ("compute_loss",))])
def test_a_loss_refutes(returned: bool, methods: tuple[str, ...]) -> None:
    """Returned by the entry, or given by another method."""
    (found,) = convictions(returned=returned, methods=methods)
    assert found.status is Status.REFUTED


RECOMMENDERS = {
    "tables by the places of their sizes": """
        class Net(nn.Module):
            def __init__(self, sizes, width):
                super().__init__()
                self.tables = nn.ModuleList([nn.Embedding(n, width) for n in sizes])
                self.first = nn.Embedding(sizes[0], 1)
                self.second = nn.Embedding(sizes[1], 1)
                self.score = nn.Linear(width, 1)

            def forward(self, x):
                return self.score(self.tables[0](x[0])) + self.first(x[0]) + self.second(x[1])
    """,
    "a score for each item": """
        class Net(nn.Module):
            def __init__(self, n_users, n_items, width):
                super().__init__()
                self.user_emb = nn.Embedding(n_users, width)
                self.item_emb = nn.Embedding(n_items, width)

            def forward(self, user):
                return self.user_emb(user) @ self.item_emb.weight.T
    """,
    "one score of a table of one": """
        class Net(nn.Module):
            def __init__(self, width):
                super().__init__()
                self.start = nn.Embedding(1, width)
                self.score = nn.Linear(width, 1)

            def forward(self, x):
                return self.score(self.start(x))
    """,
}


@pytest.mark.parametrize("text", RECOMMENDERS.values(), ids=RECOMMENDERS)
def test_what_looks_other_things_up_is_no_language_model(text: str) -> None:
    """Users and items are no tokens, and one score is no vocabulary."""
    assert lines_of("GD601", HEAD + plain(text)) == []
