"""What the tests of a model share: how it is built, called, and read."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator
from pathlib import PurePosixPath

from gptdoctor.core.diagnosis import ModelDiagnosis, SpecimenFacts
from gptdoctor.source.laid_out import laid_out

# What tests may call, in the order in which it is written, and what each of these calls itself.
_NEEDS = {
    "build": (),
    "random_ids": (),
    "run": (),
    "logits": ("run",),
    "loss": ("logits", "run"),
}


def wanted_by(tests: str) -> set[str]:
    """The functions that the tests call, with those that these call."""
    wanted: set[str] = set()
    for name, needs in _NEEDS.items():
        if re.search(rf"(?<![.\w]){name}\(", tests):
            wanted |= {name, *needs}
    return wanted


def functions(model: ModelDiagnosis, specimen: SpecimenFacts, tests: str) -> list[str]:
    """The source of all functions that the tests call."""
    wanted = wanted_by(tests)
    sources = {
        "build": lambda: _build(model, specimen),
        "random_ids": _random_ids,
        "run": lambda: _run(specimen),
        "logits": lambda: _logits(specimen),
        "loss": _loss,
    }
    return ["\n".join(sources[name]()) for name in _NEEDS if name in wanted]


def constants(model: ModelDiagnosis, tests: str) -> Iterator[str]:
    """B, T and V of the call that is known to work, and the module, where they are used."""
    known = [model.facts.get(name) for name in ("batch", "length", "vocabulary")]
    if None not in known and (wanted_by(tests) or re.search(r"\b[BTV]\b", tests)):
        yield f"B, T, V = {', '.join(map(str, known))}"
    if re.search(r"\bMODULE\b", tests):
        yield f'MODULE = "{module(model)}"'


def module(model: ModelDiagnosis) -> str:
    """The name that the model's file is imported by, from `folder`."""
    return str(model.facts.get("module") or PurePosixPath(model.path).stem)


def folder(model: ModelDiagnosis) -> PurePosixPath:
    """The folder that the model's module is counted from, relative to the project's root."""
    path = PurePosixPath(model.path)
    package = path.name == "__init__.py"
    depth = len(module(model).split(".")) + (1 if package else 0)
    return PurePosixPath(*path.parts[: len(path.parts) - depth])


def _build(model: ModelDiagnosis, specimen: SpecimenFacts) -> Iterator[str]:
    yield "def build():"
    yield f'    """A tiny {model.name}, the same at each call."""'
    yield "    torch.manual_seed(0)"
    yield textwrap.indent(laid_out(f"return {specimen.build}"), "    ")


def _random_ids() -> Iterator[str]:
    yield "def random_ids(seed=0, batch=B, length=T):"
    yield '    """Token ids [B, T]."""'
    yield "    generator = torch.Generator().manual_seed(seed)"
    yield "    return torch.randint(V, (batch, length), generator=generator)"


def _run(specimen: SpecimenFacts) -> Iterator[str]:
    tree = ast.parse(specimen.expression, mode="eval").body
    used = {one.id for one in ast.walk(tree) if isinstance(one, ast.Name)}
    if isinstance(tree, ast.Call):  # what the test adds goes to the model
        tree.keywords.append(ast.keyword(value=ast.Name("more")))
    yield "def run(model, ids, *, seed=0, **more):"
    yield '    """What the model returns for token ids [B, T]."""'
    yield "    torch.manual_seed(seed)  # else two calls differ by their ids alone"
    if "labels" in used:
        yield "    labels = ids"
    if {"B", "T"} & used:
        yield "    B, T = ids.shape"
    yield textwrap.indent(laid_out(f"return {ast.unparse(tree)}"), "    ")


def _logits(specimen: SpecimenFacts) -> Iterator[str]:
    yield "def logits(model, ids, **more):"
    yield '    """Its logits [B, T, V]."""'
    if re.search(r"\b[BT]\b", specimen.logits):
        yield "    B, T = ids.shape"
    yield "    output = run(model, ids, **more)"
    yield f"    return {specimen.logits}"


def _loss() -> Iterator[str]:
    yield "def loss(model, ids):"
    yield '    """The cross-entropy of each next token, in nats."""'
    yield "    predicted = logits(model, ids)[:, :-1].flatten(0, 1)"
    yield "    return torch.nn.functional.cross_entropy(predicted, ids[:, 1:].flatten())"
