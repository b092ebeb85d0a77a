"""The training loop of the report runs, for every kind of model."""

from __future__ import annotations

import ast
import dataclasses
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gptdoctor.core.diagnosis import ModelDiagnosis, SpecimenFacts, Verdict
from gptdoctor.core.findings import Value
from gptdoctor.report.wiring import loss_source, training_loop
from gptdoctor.source.laid_out import laid_out
from tests.report import samples

HEAD = """\
import torch
import torch.nn.functional as F
from torch import nn

SIZE = 4096


class Options:
    def __init__(self, vocab_size, width):
        self.vocab_size, self.width = vocab_size, width


class Tiny(nn.Module):
    def __init__(self, vocab_size=31, width=16):
        super().__init__()
        self.wte = nn.Embedding(vocab_size, width)
        self.head = nn.Linear(width, vocab_size)
        self.image = nn.Linear(6, width)

    def logits(self, ids):
        return self.head(self.wte(ids))

"""
IDS = "torch.randint(31, (3, 7))"


@dataclasses.dataclass(frozen=True)
class Case:
    """A model, and what was measured of it."""

    methods: str
    call: str
    facts: dict[str, Value]
    build: str = "Tiny(vocab_size=31)"
    path: str = "tiny.py"


CASES = {
    "logits": Case(
        "def forward(self, ids):\n    return self.logits(ids)",
        f"model(ids={IDS})",
        {"returns": "logits", "ids_parameter": "ids"},
    ),
    "a tuple from forward_step": Case(
        "def forward_step(self, ids, memory=None):\n    x = self.wte(ids)\n"
        "    return x[:, -2:], self.head(x)",
        f"model.forward_step(ids={IDS})",
        {"returns": "tuple with logits", "vocabulary": 31},
    ),
    "a dictionary": Case(
        "def forward(self, tokens):\n    return {'aux': 1, 'logits': self.logits(tokens)}",
        f"model(tokens={IDS})",
        {"returns": "dict with logits", "ids_parameter": "tokens"},
    ),
    "an object": Case(
        "def forward(self, ids):\n    import types\n"
        "    return types.SimpleNamespace(logits=self.logits(ids), past=None)",
        f"model(ids={IDS})",
        {"returns": "object with logits"},
    ),
    "more inputs": Case(
        "def forward(self, ids, image):\n"
        "    return self.head(self.wte(ids) + self.image(image).mean(1, keepdim=True))",
        f"model(ids={IDS}, image=torch.randn(3, 5, 6))",
        {"returns": "logits", "ids_parameter": "ids"},
    ),
    "targets, as nanoGPT has them": Case(
        "def forward(self, idx, targets=None):\n    logits = self.logits(idx)\n"
        "    if targets is None:\n        return logits, None\n"
        "    return logits, F.cross_entropy(logits.flatten(0, 1), targets.flatten())",
        f"model(idx={IDS})",
        {
            "returns": "tuple with logits",
            "own_loss": True,
            "loss_returned": True,
            "label_parameters": ("targets",),
        },
    ),
    "labels, as transformers has them": Case(
        "def forward(self, input_ids, labels=None):\n    logits = self.logits(input_ids)\n"
        "    if labels is None:\n        return {'logits': logits}\n"
        "    loss = F.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())\n"
        "    return {'loss': loss, 'logits': logits}",
        f"model(input_ids={IDS})",
        {"returns": "dict with logits", "loss_returned": True, "label_parameters": ("labels",)},
    ),
    "training_step with a batch of names": Case(
        "def forward(self, input_ids):\n    return self.logits(input_ids)\n\n"
        "def training_step(self, batch):\n    logits = self(batch['input_ids'])\n"
        "    return F.cross_entropy(logits.flatten(0, 1), batch['labels'].flatten())",
        f"model(input_ids={IDS})",
        {"returns": "logits", "training_step": True, "loss_methods": ("training_step",)},
    ),
    "training_step as our own fix adds it": Case(
        "def forward(self, text_ids):\n    return self.logits(text_ids)\n\n"
        "def training_step(self, batch):\n    inputs = dict(batch)\n"
        "    labels = inputs.pop('labels')\n    logits = self(**inputs)\n"
        "    return F.cross_entropy(logits.flatten(0, 1), labels.flatten())",
        f"model(text_ids={IDS})",
        {"returns": "logits", "training_step": True, "loss_methods": ("compute_loss",)},
    ),
    "time first": Case(
        "def forward(self, src):\n    assert src.shape == (7, 3)\n    return self.logits(src)",
        "model(src=torch.randint(31, (7, 3)))",
        {"returns": "logits", "batch": 3, "length": 7},
    ),
    "a positional input": Case(
        "def forward(self, *inputs):\n    return self.logits(inputs[0])",
        f"model({IDS})",
        {"returns": "logits"},
    ),
    "a configuration of its own": Case(
        "def forward(self, ids):\n    return self.logits(ids)",
        f"model(ids={IDS})",
        {"returns": "logits"},
        build="Tiny(vocab_size=Options(vocab_size=31, width=8).vocab_size, width=16)",
    ),
    "a namespace": Case(
        "def forward(self, ids):\n    return self.logits(ids)",
        f"model(ids={IDS})",
        {"returns": "logits"},
        build="Tiny(**vars(SimpleNamespace(vocab_size=31, width=8)))",
    ),
    "sizes that the file keeps": Case(
        "def forward(self, ids):\n    assert SIZE == 8\n    return self.logits(ids)",
        f"model(ids={IDS})",
        {"returns": "logits"},
        build="(vars(sys.modules[Tiny.__module__]).update(SIZE=8), Tiny())[1]",
    ),
    "sizes that are kept in several places": Case(
        "def forward(self, ids):\n    assert SIZE == 8\n    return self.logits(ids)",
        f"model(ids={IDS})",
        {"returns": "logits"},
        build="(vars(sys.modules[Tiny.__module__]).update(SIZE=8), [setattr(Options, *each) "
        "for each in dict(width=4).items()], Tiny())[-1]",
    ),
    "a file in a folder": Case(
        "def forward(self, ids):\n    return self.logits(ids)",
        f"model(ids={IDS})",
        {"returns": "logits"},
        path="folder/deep/tiny.py",
    ),
    "a module of a package": Case(
        "def forward(self, ids):\n    from . import __name__ as name\n"
        "    assert name == 'package'\n    return self.logits(ids)",
        f"model(ids={IDS})",
        {"returns": "logits", "module": "package.tiny"},
        path="src/package/tiny.py",
    ),
}


def diagnosis(case: Case) -> ModelDiagnosis:
    """What would be known of the model of a case."""
    return ModelDiagnosis(
        name="Tiny",
        path=case.path,
        line=7,
        verdict=Verdict.TRAINABLE,
        reasons=(),
        specimen=SpecimenFacts(build=case.build, call=case.call, parameters=1, entry="forward"),
        facts={"learning_rate": 0.05, **case.facts},
    )


@pytest.fixture
def losses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[[str], list[float]]]:
    """Runs a loop in `tmp_path` as a script, and reads the losses that it prints.

    In this process: to import torch anew for each loop would take most of the time.
    """
    known = set(sys.modules)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))

    def run(loop: str) -> list[float]:
        exec(compile(loop, "loop.py", "exec"), {"__name__": "__main__"})
        return [float(line.rpartition(" ")[2]) for line in capsys.readouterr().out.splitlines()]

    yield run
    sys.path_importer_cache.clear()
    for name in ("tiny", "package", "package.tiny"):
        if name not in known:
            sys.modules.pop(name, None)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_loop_runs_and_the_loss_falls(
    case: Case, tmp_path: Path, losses: Callable[[str], list[float]]
) -> None:
    """What the report tells a user to paste trains the model."""
    file = tmp_path / case.path
    file.parent.mkdir(parents=True, exist_ok=True)
    if "." in str(case.facts.get("module", "")):
        (file.parent / "__init__.py").touch()
    methods = case.methods.replace("\n", "\n    ")
    file.write_text(f"{HEAD}    {methods}\n")
    loop = training_loop(diagnosis(case))
    assert loop is not None
    found = losses(loop)
    assert len(found) == 50
    assert found[-1] < 0.8 * found[0]


def test_long_constructions_are_laid_out() -> None:
    """One argument a line, the same meaning."""
    long = f"model = Model({', '.join(f'size_{n}={n}' for n in range(12))})"
    shown = laid_out(long)
    assert max(map(len, shown.splitlines())) < 40
    assert ast.dump(ast.parse(long)) == ast.dump(ast.parse(shown))


@pytest.mark.parametrize(
    "model",
    [
        samples.FIVE_MODEL,
        dataclasses.replace(
            samples.FOUR_O_MODEL,
            specimen=SpecimenFacts(build="M()", call="", parameters=0, entry="forward"),
        ),
    ],
    ids=["not built", "no call"],
)
def test_without_a_call_there_is_no_loop(model: ModelDiagnosis) -> None:
    """Code that nobody ran is not shown."""
    assert training_loop(model) is None


def test_a_loss_of_the_models_own_is_used_where_its_call_is_known() -> None:
    """Labels first, then training_step, then the cross-entropy of the logits."""
    sources = [loss_source(diagnosis(case)) for case in CASES.values()]
    assert sources.count("labels") == 2
    assert sources.count("training_step") == 2
