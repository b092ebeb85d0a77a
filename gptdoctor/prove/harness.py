"""What the tests of a model share: how it is built, called, and read."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath

from gptdoctor.core.diagnosis import ModelDiagnosis, SpecimenFacts
from gptdoctor.source.laid_out import laid_out

_NAMES = (
    "build",
    "random_ids",
    "other_ids",
    "run",
    "logits",
    "vectors",
    "labels_of",
    "loss",
    "loss_and_logits",
    "with_known_logits",
    "sharpened",
)


def wanted_by(specimen: SpecimenFacts | None, tests: str) -> set[str]:
    """The functions that the tests call, with those that these call."""
    wanted = {name for name in _NAMES if re.search(rf"(?<![.\w]){name}\(", tests)}
    if "loss" in wanted and specimen is not None and specimen.loss:
        wanted |= {"run", *(["labels_of"] if specimen.loss_labels else [])}
    elif "loss" in wanted:
        wanted |= {"logits"} if _has_tokens(specimen) else {"build", "vectors"}
    return wanted | ({"run"} if {"logits", "vectors", "loss_and_logits"} & wanted else set())


def _has_tokens(specimen: SpecimenFacts | None) -> bool:
    """Whether there are logits to name tokens with, or at least no vectors instead."""
    return specimen is None or bool(specimen.logits) or not specimen.vectors


def functions(model: ModelDiagnosis, specimen: SpecimenFacts, tests: str) -> list[str]:
    """The source of all functions that the tests call."""
    wanted = wanted_by(specimen, tests)
    sources: dict[str, Callable[[], Iterator[str]]] = {
        "build": lambda: _build(model, specimen),
        "random_ids": _random_ids,
        "other_ids": _other_ids,
        "run": lambda: _run(specimen),
        "logits": lambda: _logits(specimen),
        "vectors": lambda: _vectors(specimen),
        "labels_of": lambda: _labels_of(specimen),
        "loss": lambda: _loss(specimen),
        "loss_and_logits": lambda: _loss_and_logits(specimen),
        "with_known_logits": lambda: _with_known_logits(model, specimen),
        "sharpened": lambda: _sharpened(specimen),
    }
    return ["\n".join(sources[name]()) for name in _NAMES if name in wanted]


def constants(model: ModelDiagnosis, tests: str) -> Iterator[str]:
    """B, T and V of the call that is known to work, and the module, where they are used."""
    known = [model.facts.get(name) for name in ("batch", "length", "vocabulary")]
    if None not in known and (wanted_by(model.specimen, tests) or re.search(r"\b[BTV]\b", tests)):
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
    if specimen.own_lines:
        yield textwrap.indent(laid_out(f"model = {specimen.build}"), "    ")
        yield f"    {specimen.own_lines}  # else a library runs lines of its own"
        yield "    return model"
    else:
        yield textwrap.indent(laid_out(f"return {specimen.build}"), "    ")


def _random_ids() -> Iterator[str]:
    yield "def random_ids(seed=0, batch=B, length=T):"
    yield '    """Token ids [B, T]."""'
    yield "    generator = torch.Generator().manual_seed(seed)"
    yield "    return torch.randint(V, (batch, length), generator=generator)"


def _other_ids() -> Iterator[str]:
    yield "def other_ids(ids):"
    yield '    """Ids of the same shape with another token at every position."""'
    yield "    return (ids + 1) % V"


def _run(specimen: SpecimenFacts) -> Iterator[str]:
    tree = ast.parse(specimen.expression, mode="eval").body
    used = {one.id for one in ast.walk(tree) if isinstance(one, ast.Name)}
    if isinstance(tree, ast.Call):  # what the test adds goes to the model
        tree.keywords = _with_more(tree.keywords, specimen.loss_labels)
    drawn = list(_drawn(tree))
    yield "def run(model, ids, *, seed=0, **more):"
    yield '    """What the model returns for token ids [B, T]."""'
    if "labels" in used:
        yield "    labels = ids"
    if {"B", "T"} & used:
        yield "    B, T = ids.shape"
    if drawn:
        yield "    torch.manual_seed(0)  # the same in each row, and in each call"
        yield from drawn
    yield "    torch.manual_seed(seed)  # else two calls differ by what they are given alone"
    yield textwrap.indent(laid_out(f"return {ast.unparse(tree)}"), "    ")


def _drawn(tree: ast.expr) -> Iterator[str]:
    """Statements that draw the inputs beside the text, whose names then stand in the call."""
    for keyword in tree.keywords if isinstance(tree, ast.Call) else ():
        sizes = _drawn_sizes(keyword.value)
        if keyword.arg is None or not sizes or ast.unparse(sizes[0]) != "B":
            continue
        sizes[0] = ast.Constant(1)
        kept = ", ".join(["B", *["-1"] * (len(sizes) - 1)])
        yield f"    {keyword.arg} = {ast.unparse(keyword.value)}.expand({kept})"
        keyword.value = ast.Name(keyword.arg)


def _drawn_sizes(value: ast.expr) -> list[ast.expr]:
    """The sizes in `torch.rand...(...)`, where nothing else is done to it."""
    if not isinstance(value, ast.Call) or not value.args or value.keywords:
        return []
    if ast.unparse(value.func) not in ("torch.rand", "torch.randn", "torch.randint"):
        return []
    return value.args[-1].elts if isinstance(value.args[-1], ast.Tuple) else value.args


def _with_more(given: list[ast.keyword], labels: str) -> list[ast.keyword]:
    """The keywords of a call with those in `more`, which may be labels that it gives already."""
    if labels not in [one.arg for one in given]:
        return [*given, ast.keyword(value=ast.Name("more"))]
    value = next(one.value for one in given if one.arg == labels)
    together = ast.Dict(keys=[ast.Constant(labels), None], values=[value, ast.Name("more")])
    return [*(one for one in given if one.arg != labels), ast.keyword(value=together)]


def _logits(specimen: SpecimenFacts) -> Iterator[str]:
    yield "def logits(model, ids, **more):"
    yield '    """Its logits [B, T, V]."""'
    if re.search(r"\b[BT]\b", specimen.logits):
        yield "    B, T = ids.shape"
    yield "    output = run(model, ids, **more)"
    yield f"    return {specimen.logits}"


def _vectors(specimen: SpecimenFacts) -> Iterator[str]:
    yield "def vectors(model, ids, **more):"
    yield '    """What it gives for each row of ids [B, T], which are no logits."""'
    yield "    output = run(model, ids, **more)"
    yield f"    return {specimen.vectors}"


def _labels_of(specimen: SpecimenFacts) -> Iterator[str]:
    yield "def labels_of(ids):"
    if specimen.classes:
        yield '    """A class for each row or each token of ids [B, T]: two of them, in turn."""'
        yield f"    return {specimen.classes}"
    elif specimen.labels_are_next:
        yield '    """The token after each one, which is what the model wants for labels."""'
        yield "    return ids.roll(-1, dims=1)"
    else:
        yield '    """The tokens themselves: the model shifts its labels by itself."""'
        yield "    return ids.clone()"


def _loss(specimen: SpecimenFacts) -> Iterator[str]:
    if specimen.loss and specimen.loss_labels:
        yield "def loss(model, ids, labels=None):"
        yield '    """The loss that the model gives for its labels, in nats."""'
        yield "    labels = labels_of(ids) if labels is None else labels"
        yield f"    output = run(model, ids, {specimen.loss_labels}=labels)"
        yield f"    return {specimen.loss}"
    elif specimen.loss:
        yield "def loss(model, ids):"
        yield '    """The loss that the model gives by itself, in nats."""'
        yield "    output = run(model, ids)"
        yield f"    return {specimen.loss}"
    elif not _has_tokens(specimen):
        yield "def loss(model, ids):"
        yield '    """How far what it gives for each row is from what the next row got at first."""'
        yield "    with torch.no_grad():"
        yield "        aim = vectors(build(), ids).roll(1, dims=0)"
        yield "    return (vectors(model, ids) - aim).square().mean() / aim.square().mean()"
    else:
        yield "def loss(model, ids):"
        yield '    """The cross-entropy of each next token, in nats."""'
        yield "    predicted = logits(model, ids)[:, :-1].flatten(0, 1)"
        yield "    return torch.nn.functional.cross_entropy(predicted, ids[:, 1:].flatten())"


def _loss_and_logits(specimen: SpecimenFacts) -> Iterator[str]:
    yield "def loss_and_logits(model, ids, labels):"
    yield '    """The loss that the model gives for labels, and logits [B, T, V], of one call."""'
    if re.search(r"\b[BT]\b", specimen.logits):
        yield "    B, T = ids.shape"
    yield f"    output = run(model, ids, {specimen.loss_labels}=labels)"
    yield f"    return {specimen.loss}, {specimen.logits}"


def _entry(specimen: SpecimenFacts) -> str:
    """The method of the model that its call goes to."""
    call = ast.parse(specimen.expression, mode="eval").body
    named = isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)
    return call.func.attr if named else "forward"  # type: ignore[attr-defined]


def _sharpened(specimen: SpecimenFacts) -> Iterator[str]:
    entry = _entry(specimen)
    yield "def sharpened(model):"
    yield '    """The model, with logits so far apart that any way to draw is greedy."""'
    yield f"    entry = model.{entry}"
    yield ""
    yield "    def answer(*args, **kwargs):"
    yield "        output = entry(*args, **kwargs)"
    yield f"        logits = {specimen.logits}"
    yield "        logits.mul_(100)"
    yield "        return output"
    yield ""
    yield f"    model.{entry} = answer"
    yield "    return model"


def _with_known_logits(model: ModelDiagnosis, specimen: SpecimenFacts) -> Iterator[str]:
    entry = _entry(specimen)
    # Logits that are all it returns need not be computed: then it matters not that it fails.
    bare = specimen.logits == "output" and model.facts.get("returns") == "logits"
    yield "def with_known_logits(model, *known):"
    yield '    """The model, whose calls give these logits [V] in turn, the last from then on."""'
    yield (
        "    waiting = list(known)" if bare else f"    entry, waiting = model.{entry}, list(known)"
    )
    yield ""
    yield "    def answer(*args, **kwargs):"
    yield from (_exchanged() if bare else _overwritten(specimen.logits))
    yield ""
    yield f"    model.{entry} = answer"
    yield "    return model"


def _exchanged() -> Iterator[str]:
    """Known logits for the ids that are given."""
    yield "        given = filter(torch.is_tensor, [*args, *kwargs.values()])"
    yield "        ids = next(one for one in given if one.dtype == torch.long)"
    yield "        values = waiting.pop(0) if len(waiting) > 1 else waiting[0]"
    yield "        return values.float().expand(*ids.shape, V).clone()"


def _overwritten(logits: str) -> Iterator[str]:
    """Known logits in the place of the real ones."""
    yield "        output = entry(*args, **kwargs)"
    yield f"        logits = {logits}"
    yield "        logits.copy_(waiting.pop(0) if len(waiting) > 1 else waiting[0])"
    yield "        return output"
