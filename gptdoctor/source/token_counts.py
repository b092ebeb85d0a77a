"""Which values of a forward pass are as long as the text that it was given, and its positions.

Of one parameter [B, T], or [B, T, width]: what has a vector for each of its tokens, what is T, and
what is 0 to T - 1. Only what is plain; where the text is cut on the way, none of these is known.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from gptdoctor.source.classes import ClassInfo, defaults_of, self_attribute
from gptdoctor.source.flow_bindings import Binding
from gptdoctor.source.flow_functions import Function
from gptdoctor.source.flow_targets import Role
from gptdoctor.source.imports import is_none
from gptdoctor.source.literals import takes_all
from gptdoctor.source.names import called_name
from gptdoctor.source.project import Project

# Layers that give a vector for each token, and leave the number of tokens alone.
KEEPING = frozenset({"Embedding", "Linear", "Dropout", "LayerNorm", "RMSNorm", "Identity"})
# Methods that give the same positions, in another shape or type.
RESHAPED = frozenset({"unsqueeze", "expand", "expand_as", "repeat", "view", "to", "long", "int"})
CAST = frozenset({"to", "long", "int", "float", "contiguous", "clone", "half", "bfloat16"})
LONGEST = 12  # from name to name


@dataclass(frozen=True, eq=False)
class TokenCounts:
    """A forward pass, seen from one of its parameters."""

    project: Project
    info: ClassInfo
    function: Function
    text: str  # the parameter
    given: frozenset[str]  # the other parameters that the call gives
    ids: bool  # whether it has two axes

    @property
    def homes(self) -> list[ClassInfo]:
        """The class and its bases."""
        return [self.info, *self.project.bases(self.info)]

    def made(self, layer: ast.expr) -> list[ast.expr]:
        """What `self.NAME`, `self.HOLDER.NAME` or `self.HOLDER["NAME"]` is made by."""
        name = self_attribute(layer)
        if name is not None:
            return [value for one in self.homes for value in one.attributes.get(name, [])]
        key, holder = "", None
        if isinstance(layer, ast.Attribute):
            key, holder = layer.attr, layer.value
        elif isinstance(layer, ast.Subscript) and isinstance(layer.slice, ast.Constant):
            key, holder = str(layer.slice.value), layer.value
        held = self.made(holder) if holder is not None and self_attribute(holder) else []
        return [item for one in held for item in _items(one, key)]

    def texts(self, value: ast.expr, far: int = 0) -> bool:
        """Whether a value is the text, or one vector for each of its tokens."""
        if far > LONGEST:
            return False
        if isinstance(value, ast.Name):
            return self._all(value, self._is_text, lambda one: self.texts(one, far + 1))
        if isinstance(value, ast.BinOp):
            return self.texts(value.left, far + 1) or self.texts(value.right, far + 1)
        if not isinstance(value, ast.Call):
            return False
        if isinstance(value.func, ast.Attribute) and value.func.attr in CAST:
            return self.texts(value.func.value, far + 1)
        made = self.made(value.func)
        kept_length = made and all(called_name(one) in KEEPING for one in made)
        return bool(kept_length and value.args) and self.texts(value.args[0], far + 1)

    def _is_text(self, binding: Binding) -> bool:
        return binding.role is Role.ARGUMENT and binding.name == self.text

    def length(self, value: ast.expr, far: int = 0) -> bool:
        """Whether a value is the number of tokens."""
        if far > LONGEST:
            return False
        if isinstance(value, ast.Name):
            return self._all(value, self._is_length, lambda one: self.length(one, far + 1))
        if isinstance(value, ast.Call) and called_name(value) == "size" and value.args:
            sized = value.func.value if isinstance(value.func, ast.Attribute) else None
            return sized is not None and self._counts(sized, value.args[0])
        if isinstance(value, ast.Subscript):
            sized = _sized(value.value)
            return sized is not None and self._counts(sized, value.slice)
        return False

    def _counts(self, sized: ast.expr, axis: ast.expr) -> bool:
        """Whether an axis of a tensor counts tokens: [B, T], [B, T, width]."""
        number = ast.unparse(axis)
        raw = isinstance(sized, ast.Name) and self._all(sized, self._is_text, lambda _: False)
        last = number == "-1" and raw and self.ids
        return (number == "1" and self.texts(sized)) or last

    def _is_length(self, binding: Binding) -> bool:
        """`B, T = ids.shape`, `B, T, _ = x.size()`."""
        if binding.role is not Role.ITEM or binding.index != 1 or binding.value is None:
            return False
        sized = _sized(binding.value)
        return sized is not None and self.texts(sized)

    def positions(self, value: ast.expr, far: int = 0) -> bool:
        """Whether a value is 0 to T - 1."""
        if far > LONGEST:
            return False
        if isinstance(value, ast.Name):
            return self._all(value, self._is_left_out, lambda one: self.positions(one, far + 1))
        if isinstance(value, ast.Subscript):
            index = value.slice
            parts = index.elts if isinstance(index, ast.Tuple) else [index]
            return all(map(_keeps_all, parts)) and self.positions(value.value, far + 1)
        if not isinstance(value, ast.Call):
            return False
        if self.function.module.names.called(value) == "torch.arange":
            *begin, end = value.args or [value]
            from_zero = not begin or (len(begin) == 1 and ast.unparse(begin[0]) == "0")
            return from_zero and self.length(end)
        method = value.func.attr if isinstance(value.func, ast.Attribute) else ""
        if method not in RESHAPED or not isinstance(value.func, ast.Attribute):
            return False
        return self.positions(value.func.value, far + 1)

    def _is_left_out(self, binding: Binding) -> bool:
        """A parameter that is None unless the caller gives it, which this one does not."""
        if binding.role is not Role.ARGUMENT or binding.name in self.given:
            return False
        default = defaults_of(self.function.node.args).get(binding.name)
        return default is not None and is_none(default)

    def _all(
        self, name: ast.Name, known: Callable[[Binding], bool], followed: Callable[[ast.expr], bool]
    ) -> bool:
        """Whether all that a name may hold is one thing, by its binding or by its value."""
        bindings = self.function.reaching(name, carried=True)
        plain = [one for one in bindings if one.role is not Role.CHANGED]
        return bool(plain) and all(
            known(one) or (one.role is Role.WHOLE and one.value is not None and followed(one.value))
            for one in plain
        )

    def takes_length(self, index: ast.expr) -> bool:
        """Whether an index takes the first T rows: `[:T]`, `[:, :T]`, `[:, :T, :]`."""
        parts = index.elts if isinstance(index, ast.Tuple) else [index]
        cut = [one for one in parts if not _keeps_all(one)]
        if len(cut) != 1 or not isinstance(cut[0], ast.Slice) or cut[0].upper is None:
            return False
        begin = cut[0].lower
        whole = begin is None or ast.unparse(begin) == "0"
        return whole and cut[0].step is None and self.length(cut[0].upper)


def _sized(value: ast.expr) -> ast.expr | None:
    """The tensor of `x.shape` and `x.size()`."""
    if isinstance(value, ast.Call) and not value.args and called_name(value) == "size":
        return value.func.value if isinstance(value.func, ast.Attribute) else None
    if isinstance(value, ast.Subscript) and isinstance(value.slice, ast.Slice):
        # `B, T = x.shape[:2]`
        return _sized(value.value) if value.slice.lower is None else None
    return value.value if isinstance(value, ast.Attribute) and value.attr == "shape" else None


def _keeps_all(part: ast.expr) -> bool:
    """`:`, `None` and `...` in an index."""
    return takes_all(part) or (isinstance(part, ast.Constant) and part.value in (None, ...))


def _items(holder: ast.expr, key: str) -> Iterator[ast.expr]:
    """What a ModuleDict is given under a name: `dict(wpe=...)`, `{"wpe": ...}`."""
    if not isinstance(holder, ast.Call) or called_name(holder) != "ModuleDict" or not holder.args:
        return
    table = holder.args[0]
    if isinstance(table, ast.Call):
        yield from (one.value for one in table.keywords if one.arg == key)
    elif isinstance(table, ast.Dict):
        for name, value in zip(table.keys, table.values, strict=True):
            if isinstance(name, ast.Constant) and name.value == key:
                yield value
