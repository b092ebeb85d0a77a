"""A training loop for one model, as code that runs where its file can be imported.

The loop is made of what was measured: the call that built the tiny instance, the call that ran
it, what that returned, and whether the model gives a loss of its own.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from gptdoctor.core.diagnosis import GIVEN, ModelDiagnosis, SpecimenFacts
from gptdoctor.report.amounts import Values
from gptdoctor.source.laid_out import laid_out

STEPS = 50  # enough to see the loss of a tiny model fall
USUAL_LEARNING_RATE = 3e-4
_OWN_NAMES = frozenset({"torch", "sys", "SimpleNamespace", *dir(builtins)})
# Under these names labels are the ids that come next (nanoGPT); elsewhere the model shifts.
_NEXT_IDS = re.compile(r"targets?|y|next_.*|shifted_.*")


@dataclass(frozen=True, kw_only=True)
class Call:
    """The call of the entry, taken apart: its ids, and what else is given."""

    function: str  # "model", "model.forward_step"
    given: Mapping[str, str]  # code by parameter, in order; "" is the one given by position
    ids: str  # which of them are the ids
    time_first: bool  # ids are [T, B]

    def on_batch(self, labels: str = "") -> str:
        """The call with a batch in place of what made its inputs, with labels where wanted."""
        given = "ids" if "" in self.given else "**batch"
        return f"{self.function}({given}{f', {labels}=labels' if labels else ''})"


def training_loop(model: ModelDiagnosis) -> str | None:
    """The source of a loop that trains this model, or None where no call of it is known."""
    call = None if model.specimen is None else _call(model.specimen, Values(model.facts))
    if model.specimen is None or call is None:
        return None
    parts = (
        _imports(model, model.specimen),
        _construction(model, model.specimen),
        _batch(call),
        _output_reader(model, call),
        _step(model, call),
        _loop(call),
    )
    return "\n\n\n".join("\n".join(part) for part in map(list, parts) if part) + "\n"


def loss_source(model: ModelDiagnosis) -> str:
    """Where the loop takes its loss from: "training_step", "labels" or "logits"."""
    facts = Values(model.facts)
    if facts.flag("loss_returned") and facts.names("label_parameters"):
        return "labels"
    return "training_step" if facts.flag("training_step") else "logits"


def _call(specimen: SpecimenFacts, facts: Values) -> Call | None:
    try:
        tree = ast.parse(specimen.call.strip(), mode="eval").body
    except SyntaxError:
        return None
    if not isinstance(tree, ast.Call) or len(tree.args) > 1:
        return None
    given = {"": ast.unparse(tree.args[0])} if tree.args else {}
    given |= {keyword.arg or "": ast.unparse(keyword.value) for keyword in tree.keywords}
    ids = facts.text("ids_parameter") or ""
    if ids not in given:
        made = [name for name, code in given.items() if code.startswith("torch.randint(")]
        if not made:
            return None
        ids = made[0]
    return Call(
        function=ast.unparse(tree.func),
        given=given,
        ids=ids,
        time_first=_is_time_first(given[ids], facts),
    )


def _is_time_first(ids: str, facts: Values) -> bool:
    batch, length = facts.integer("batch"), facts.integer("length")
    return batch != length and f"({length}, {batch})" in ids


def _imports(model: ModelDiagnosis, specimen: SpecimenFacts) -> Iterator[str]:
    at_hand = specimen.build == GIVEN or model.in_cell is not None
    folder, module = ("", "") if at_hand else _home(model)
    if folder or "sys." in specimen.build:
        yield "import sys"
        yield ""
    if "SimpleNamespace(" in specimen.build:
        yield "from types import SimpleNamespace"
        yield ""
    yield "import torch"
    if loss_source(model) == "logits":
        yield "import torch.nn.functional as F"
    if at_hand:
        return
    yield ""
    if folder:
        yield f'sys.path.insert(0, "{folder}")  # seen from the root of the project'
    yield from _named(model, specimen, module)


def _named(model: ModelDiagnosis, specimen: SpecimenFacts, module: str) -> Iterator[str]:
    """The imports of what the construction names: from the model's file, and from others."""
    names = _names(specimen.build)
    told = [line for line in specimen.imports if _imported(line) in names]
    if told:
        yield from _together(told)
    else:
        yield f"from {module} import {', '.join(names) or model.name}"


def _imported(line: str) -> str:
    return line.rpartition(" ")[2]


def _together(lines: Sequence[str]) -> Iterator[str]:
    """Import statements, those from one module in one line."""
    groups: dict[str, list[str]] = {}
    for line in lines:
        groups.setdefault(line.rpartition(" ")[0], []).append(_imported(line))
    yield from (f"{start} {', '.join(names)}" for start, names in groups.items())


def _home(model: ModelDiagnosis) -> tuple[str, str]:
    """The folder to put on the search path, and the module's name from there."""
    path = PurePosixPath(model.path)
    parts = [*path.parent.parts, path.stem] if path.stem != "__init__" else list(path.parent.parts)
    dotted = Values(model.facts).text("module") or parts[-1]
    depth = len(parts) - len(dotted.split("."))
    return "/".join(parts[:depth]), dotted


def _names(build: str) -> list[str]:
    """What the construction takes from the model's file and others, in alphabetical order."""
    nodes = list(ast.walk(ast.parse(build.strip(), mode="eval")))
    bound = {arg.arg for node in nodes if isinstance(node, ast.arguments) for arg in node.args}
    loops = [node.target for node in nodes if isinstance(node, ast.comprehension)]
    bound |= {name.id for loop in loops for name in ast.walk(loop) if isinstance(name, ast.Name)}
    used = {node.id for node in nodes if isinstance(node, ast.Name)}
    return sorted(used - bound - _OWN_NAMES)


def _changes(build: str) -> tuple[list[str], str]:
    """What changes sizes that the files keep, and the construction without that.

    Such a build reads "(vars(sys.modules[Model.__module__]).update(SIZE=8), Model())[-1]".
    """
    tree = ast.parse(build.strip(), mode="eval").body
    if isinstance(tree, ast.Subscript) and isinstance(tree.value, ast.Tuple):
        *changes, made = tree.value.elts
        return [ast.unparse(change) for change in changes], ast.unparse(made)
    return [], build.strip()


def _construction(model: ModelDiagnosis, specimen: SpecimenFacts) -> Iterator[str]:
    changes, build = _changes(specimen.build)
    rate = Values(model.facts).number("learning_rate") or USUAL_LEARNING_RATE
    yield "torch.manual_seed(0)"
    if build == GIVEN:
        yield "# `model` is the instance that was examined."
    else:
        if changes:
            yield "# Sizes that are kept in the file."
            yield from changes
        yield "# The tiny instance that was examined: put your own sizes in."
        yield laid_out(f"model = {build}")
    yield "model.train()"
    if rate != USUAL_LEARNING_RATE:
        yield f"# This rate fits the tiny size; {USUAL_LEARNING_RATE:g} is usual for large ones."
    yield f"optimizer = torch.optim.AdamW(model.parameters(), lr={rate:g})"


def _batch(call: Call) -> Iterator[str]:
    order = "[T, B]" if call.time_first else "[B, T]"
    yield "def next_batch():"
    yield f'    """Your data comes here: token ids {order}, and what else is given."""'
    yield "    return {"
    for name, code in call.given.items():
        yield f'        "{name or "ids"}": {code},'
    yield "    }"


def _output_reader(model: ModelDiagnosis, call: Call) -> Iterator[str]:
    """A function that finds the logits or the loss, where the model returns more than one thing."""
    source = loss_source(model)
    if source == "training_step" or (source == "logits" and _returns_logits(model)):
        return
    yield "def tensors_in(output):"
    yield '    """The tensors among what the model returns."""'
    yield "    if isinstance(output, dict):"
    yield "        output = output.values()"
    yield "    elif not isinstance(output, (tuple, list)):"
    yield "        output = [output, *vars(output).values()]"
    yield "    return [part for part in output if torch.is_tensor(part)]"


def _returns_logits(model: ModelDiagnosis) -> bool:
    return Values(model.facts).text("returns") == "logits"


def _step(model: ModelDiagnosis, call: Call) -> Iterator[str]:
    yield "def train_step(batch):"
    yield '    """One step; returns the loss in nats."""'
    yield f'    ids = batch["{call.ids or "ids"}"]'
    yield "    optimizer.zero_grad()"
    source = loss_source(model)
    if source == "training_step":
        yield '    loss = model.training_step({**batch, "labels": ids})'
    elif source == "labels":
        yield from _labelled(Values(model.facts).names("label_parameters")[0], call)
    else:
        yield from _cross_entropy(model, call)
    yield "    loss.backward()"
    yield "    optimizer.step()"
    yield "    return loss.item()"


def _labelled(labels: str, call: Call) -> Iterator[str]:
    """The model's own loss, from its entry with labels."""
    if _NEXT_IDS.fullmatch(labels.lower()):
        dimension = 0 if call.time_first else 1
        yield f"    labels = ids.roll(-1, {dimension})  # stands for the ids that follow"
    else:
        yield "    labels = ids  # the model shifts them itself"
    yield f"    output = {call.on_batch(labels)}"
    yield "    loss = next(part for part in tensors_in(output) if part.numel() == 1)"


def _cross_entropy(model: ModelDiagnosis, call: Call) -> Iterator[str]:
    """The loss that the model does not have: position t is trained on token t + 1."""
    made = call.on_batch()
    order = "[T, B, V]" if call.time_first else "[B, T, V]"
    if _returns_logits(model):
        yield f"    logits = {made}  # {order}"
    else:
        vocabulary = Values(model.facts).integer("vocabulary")
        fits = "part.dim() == 3" + (f" and part.size(-1) == {vocabulary}" if vocabulary else "")
        yield f"    output = {made}"
        yield f"    found = [part for part in tensors_in(output) if {fits}]"
        yield f"    logits = found[0]  # {order}"
    before, after = ("[:-1]", "[1:]") if call.time_first else ("[:, :-1]", "[:, 1:]")
    yield "    # Position t is trained on token t + 1."
    yield f"    predicted, wanted = logits{before}.flatten(0, 1), ids{after}.flatten()"
    yield "    loss = F.cross_entropy(predicted, wanted, ignore_index=-100)"


def _loop(call: Call) -> Iterator[str]:
    yield "# One batch, again and again, shows that the loss falls. Then take new ones."
    yield "batch = next_batch()"
    yield f"for step in range({STEPS}):"
    yield '    print(f"step {step}: loss {train_step(batch):.3f}")'
