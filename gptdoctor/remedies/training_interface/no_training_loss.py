"""GD601: give the model a loss of its own, and one method that a training loop can call.

Nothing that exists changes: `compute_loss`, `training_step` and, where the model is run by a step
method alone, `forward` are added.
"""

from __future__ import annotations

import ast

import libcst as cst

from gptdoctor.remedies.declined import Declined
from gptdoctor.remedies.edits import Edits
from gptdoctor.remedies.entries import Entry, entry_of
from gptdoctor.remedies.parsed import ParsedSource
from gptdoctor.remedies.remedy import Remedy, Request
from gptdoctor.source.classes import ClassInfo

LOSS, STEP = "compute_loss", "training_step"


def _mend(request: Request) -> str:
    source = request.source
    info = request.project.classes(request.module).get(request.finding.symbol)
    owner = source.definition(request.finding.symbol)
    if info is None or not isinstance(owner, cst.ClassDef):
        raise Declined("there is no such class at this place")
    if not isinstance(owner.body, cst.IndentedBlock):
        raise Declined("the class has no lines of its own")
    entry = entry_of(request.project, info, request.model)
    methods = _methods(request, info, owner, entry)
    before = _place(source, owner, entry if entry.owner is info else None)
    return _inserted(request, owner, methods, before)


def _methods(
    request: Request, info: ClassInfo, owner: cst.ClassDef, entry: Entry
) -> list[list[str]]:
    """The lines of the methods to be added, without the margin of the class."""
    offered = {name for one in (info, *request.project.bases(info)) for name in one.methods}
    if STEP in offered:
        raise Declined(f"the class has a {STEP} already")
    style = Style(request, entry)
    methods = [style.training_step()]
    if LOSS not in offered:
        methods.insert(0, style.compute_loss())
    elif _parameters_of(request, info) != 2:
        raise Declined(f"the class has a {LOSS} that takes something else than logits and labels")
    if "forward" not in offered:
        methods.insert(0, style.forward(_header(request.source, owner, entry)))
    return methods


def _parameters_of(request: Request, info: ClassInfo) -> int:
    chain = [info, *request.project.bases(info)]
    loss = next(one.methods[LOSS] for one in chain if LOSS in one.methods)
    return len(loss.args.args) - 1


def _method(owner: cst.ClassDef, name: str) -> cst.FunctionDef | None:
    found = [one for one in owner.body.body if isinstance(one, cst.FunctionDef)]
    return next((one for one in reversed(found) if one.name.value == name), None)


def _header(source: ParsedSource, owner: cst.ClassDef, entry: Entry) -> str:
    """The parameters of the entry as its author wrote them, to the colon."""
    function = _method(owner, entry.name)
    if function is None:
        arguments = ast.parse(f"def f({ast.unparse(entry.function.args)}): pass").body[0]
        for node in ast.walk(arguments):
            if isinstance(node, ast.arg):
                node.annotation = None  # names of another file
        assert isinstance(arguments, ast.FunctionDef)  # noqa: S101
        return f"({ast.unparse(arguments.args)}):"
    _, begin = source.span(function.name)
    last = function.returns.annotation if function.returns is not None else function.params
    end = source.text.index(":", source.span(last)[1])
    return source.text[begin : end + 1]


def _place(source: ParsedSource, owner: cst.ClassDef, entry: Entry | None) -> cst.CSTNode:
    """The statement of the class after which the methods go: the entry, or the last one."""
    found = _method(owner, entry.name) if entry is not None else None
    return found if found is not None else owner.body.body[-1]


def _inserted(
    request: Request, owner: cst.ClassDef, methods: list[list[str]], before: cst.CSTNode
) -> str:
    source = request.source
    margin = source.margin(owner.body.body[0])
    _, end = source.span(before)
    place = source.next_line(end - 1)
    while _is_deeper_comment(source, place, margin):
        place = source.next_line(place)
    lines = [line for method in methods for line in ("", *method)]
    newline = source.newline
    text = "".join(f"{margin}{line}{newline}" if line else newline for line in lines)
    if place == len(source.text) and not source.text.endswith(("\n", "\r")):
        text = newline + text.removesuffix(newline)
    edits = Edits(source)
    edits.insert(place, text)
    return edits.result()


def _is_deeper_comment(source: ParsedSource, place: int, margin: str) -> bool:
    """Whether the line at `place` is a comment that belongs to the body of the method above."""
    line = source.text[place : source.next_line(place)]
    return line.lstrip().startswith("#") and len(line) - len(line.lstrip()) > len(margin)


class Style:
    """The methods, spelled as the file spells things."""

    def __init__(self, request: Request, entry: Entry) -> None:
        self.entry = entry
        self.indent = request.source.indent
        self.aliases = request.module.names.aliases
        self.tensor = self._named("torch.Tensor") or self._named("torch", ".Tensor")
        self.cross_entropy = (
            self._named("torch.nn.functional.cross_entropy")
            or self._named("torch.nn.functional", ".cross_entropy")
            or self._named("torch.nn", ".functional.cross_entropy")
            or self._named("torch", ".nn.functional.cross_entropy")
        )
        if not self.cross_entropy:
            raise Declined("the file imports nothing of torch that has a cross-entropy")
        self.typed = bool(self.tensor) and entry.function.returns is not None
        self.batch = "batch"
        if self.typed and "__future__.annotations" in self.aliases.values():
            self.batch = f"batch: {self.tensor} | dict[str, {self.tensor}]"
        if any(name.endswith("LightningModule") for name in _base_names(request)):
            self.batch += ", batch_idx=None"

    def _named(self, origin: str, rest: str = "") -> str:
        """How the file calls `origin`, and something in it; "" where it does not import it."""
        names = [name for name, meant in self.aliases.items() if meant == origin]
        return f"{min(names, key=len)}{rest}" if names else ""

    def _lines(self, *lines: tuple[int, str]) -> list[str]:
        return [self.indent * depth + text for depth, text in lines]

    def compute_loss(self) -> list[str]:
        """Shifted cross-entropy of logits and labels."""
        given, result = "logits, labels", ""
        if self.typed:
            given = f"logits: {self.tensor}, labels: {self.tensor}"
            result = f" -> {self.tensor}"
        return self._lines(
            (0, f"def {LOSS}(self, {given}){result}:"),
            (1, '"""Cross-entropy of each position with the next label; -100 does not count."""'),
            (1, f"return {self.cross_entropy}("),
            (2, "logits[:, :-1].reshape(-1, logits.size(-1)),"),
            (2, "labels[:, 1:].reshape(-1),"),
            (2, "ignore_index=-100,"),
            (1, ")"),
        )

    def training_step(self) -> list[str]:
        """Loss of a batch, through the model's own entry."""
        ids = self.entry.ids
        result = f" -> {self.tensor}" if self.typed else ""
        one = f'{{"{ids}": batch}}'
        inputs = f"dict(batch) if isinstance(batch, dict) else {one}"
        if self.tensor:
            inputs = f"{one} if isinstance(batch, {self.tensor}) else dict(batch)"
        return self._lines(
            (0, f"def {STEP}(self, {self.batch}){result}:"),
            (1, f'"""Loss of {ids} [B, T], or of a dict of inputs that may hold labels."""'),
            (1, f"inputs = {inputs}"),
            (1, 'labels = inputs.pop("labels", None)'),
            (1, "if labels is None:"),
            (2, f'labels = inputs["{ids}"]'),
            *((1, line) for line in self._logits()),
            (1, f"return self.{LOSS}(logits, labels)"),
        )

    def _logits(self) -> list[str]:
        kinds = self.entry.logits or ("",)
        if len(kinds) == 1:
            return [f"logits = self(**inputs){kinds[0]}"]
        if set(kinds) == {"", "[0]"}:
            return [
                "outputs = self(**inputs)",
                "logits = outputs[0] if isinstance(outputs, tuple) else outputs",
            ]
        raise Declined("the entry returns different kinds of things in different places")

    def forward(self, header: str) -> list[str]:
        """What calling the module does, for a model that is run by another method."""
        arguments = self.entry.function.args
        given = [one.arg for one in [*arguments.posonlyargs, *arguments.args][1:]]
        given += [f"*{arguments.vararg.arg}"] if arguments.vararg else []
        given += [f"{one.arg}={one.arg}" for one in arguments.kwonlyargs]
        given += [f"**{arguments.kwarg.arg}"] if arguments.kwarg else []
        return self._lines(
            (0, f"def forward{header}"),
            (1, f'"""The same as {self.entry.name}, so that the module can be called."""'),
            (1, f"return self.{self.entry.name}({', '.join(given)})"),
        )


def _base_names(request: Request) -> list[str]:
    info = request.project.classes(request.module).get(request.finding.symbol)
    return request.project.external_bases(info) if info is not None else []


REMEDY = Remedy(mend=_mend)
