"""What the user's code taught by refusing: which arguments it wants other than they were.

A refusal names what it wants: an argument that is missing, a check that failed, a key.  Each is
learned once and the instance is made again; `Maker` asks here before it guesses.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from traceback import walk_tb
from types import FrameType, SimpleNamespace
from typing import Any

from torch import nn

from gptdoctor.specimen.demands import Demand, demands_of, holds, numbers
from gptdoctor.specimen.misjudged import may_be_of_guess, misjudged, other_kind, word_vectors
from gptdoctor.specimen.values import Written, literal

_Made = Callable[..., Any]
_MISSING = re.compile(r"missing \d+ required (?:positional|keyword-only) arguments?: (.*)")
_UNWANTED = re.compile(
    r"(?:unexpected keyword argument|multiple values for (?:keyword )?argument) '(\w+)'"
)
_WORD = re.compile(r"[A-Za-z_]\w*")
_REFUSALS = (AssertionError, ValueError)
# A check that wants a larger number than this wants no tiny model.
_LARGEST = 4096


@dataclass
class Lessons:
    """What was learned while the instances of one model were made.

    `keys`: of a configuration of ours. `extra`: what a class's `**kwargs` must hold. `needed`:
    arguments that must be given though they have a default. `values`: those to be given instead
    of what the names suggest. `classes`: of which class an argument is to be. `withheld`: what
    `**kwargs` must not hold.
    """

    keys: set[str] = field(default_factory=set)
    extra: dict[_Made, dict[str, None]] = field(default_factory=dict)
    needed: set[tuple[_Made, str]] = field(default_factory=set)
    values: dict[tuple[_Made, str], Written] = field(default_factory=dict)
    classes: dict[tuple[_Made, str], type] = field(default_factory=dict)
    withheld: set[tuple[_Made, str]] = field(default_factory=set)
    guessed: bool = False  # a part was made of a class that nothing told for certain
    # what was last given to each class and function that was made
    given: dict[_Made, Mapping[str, Any]] = field(default_factory=dict)
    # the user's dictionary that the last configuration followed; those whose models have no weights
    template: Mapping[str, Any] = field(default_factory=dict)
    unreal: list[Mapping[str, Any]] = field(default_factory=list)

    def refuse_template(self) -> bool:
        """Follow the last dictionary no more; False where none was followed."""
        if self.template:
            self.unreal.append(self.template)
        followed, self.template = self.template, {}
        return bool(followed)

    def learn(self, error: BaseException) -> bool:
        """Take the lesson of a refusal; False where it teaches nothing new."""
        frames = list(walk_tb(error.__traceback__))[::-1]  # innermost first
        return self._learn_refusal(error, frames) or self._learn_kind(error, frames)

    def _learn_refusal(self, error: BaseException, frames: list[tuple[FrameType, int]]) -> bool:
        key = missing_key(error)
        if key is not None:
            return self._learn_key(key, frames)
        if isinstance(error, TypeError):
            unwanted = _UNWANTED.search(str(error))
            if unwanted:
                return self._withhold(unwanted[1], frames)
            missing = _MISSING.search(str(error))
            names = re.findall(r"'(\w+)'", missing[1]) if missing else []
            return sum(self._learn_extra(name, frames) for name in names) > 0
        if isinstance(error, _REFUSALS) and frames:
            frame, line = frames[0]
            wanted = demands_of(frame, line)
            checked = any(self._satisfy(demand, frame, frames) for demand in wanted)
            return checked or self._learn_named(str(error), frames)
        return False

    def _learn_kind(self, error: BaseException, frames: list[tuple[FrameType, int]]) -> bool:
        """Give a list or a tensor for a number that the code takes for one."""
        place = misjudged(error, frames, self.given)
        if place is None:
            return False
        self.guessed = True  # whatever is given in its place
        other = other_kind(error, self.given[place[0]][place[1]])
        known = self.values.get(place)
        if other is None or (known is not None and known.code == other.code):
            return False
        self.values[place] = other
        return True

    def vectors(self) -> Written:
        """Word vectors, for what takes some tensor."""
        self.guessed = True
        return word_vectors()

    def lacks(self, error: BaseException) -> bool:
        """Whether a part whose class we chose may lack what the code wants of it."""
        of_class = isinstance(error, AttributeError) and type(error.obj) in self.classes.values()
        return self.guessed or of_class or may_be_of_guess(error, self.given)

    def extra_for(self, made: _Made) -> list[str]:
        """What the `**kwargs` of `made` must hold."""
        told = [name for owner, name in (*self.values, *self.needed) if owner is made]
        return [*self.extra.get(made, ()), *told]

    def _learn_key(self, key: str, frames: list[tuple[FrameType, int]]) -> bool:
        if key not in self.keys:
            self.keys.add(key)
            return True
        return self._learn_extra(key, frames)

    def _learn_extra(self, name: str, frames: list[tuple[FrameType, int]]) -> bool:
        """Give `name` to the innermost class that takes `**kwargs`: as it is, then prefixed."""
        for made, _ in self._made_in(frames):
            if made not in self.given or not _takes_more(made):
                continue
            held = self.extra.setdefault(made, {})
            texts = sorted(_prefixes(frames))
            for candidate in (name, *(f"{text}{name}" for text in texts)):
                if candidate not in held and candidate not in self.given[made]:
                    held[candidate] = None
                    return True
        return False

    def _withhold(self, name: str, frames: list[tuple[FrameType, int]]) -> bool:
        """Give `name` no more in the `**kwargs` of what was made, nor what else is guessed."""
        for made, _ in self._made_in(frames):
            named = name in inspect.signature(made).parameters
            if name in self.given.get(made, {}) and not named:
                told = {*inspect.signature(made).parameters, *self.extra.get(made, {})} - {name}
                self.withheld |= {(made, each) for each in self.given[made].keys() - told}
                return True
        return False

    def _satisfy(
        self, demand: Demand, frame: FrameType, frames: list[tuple[FrameType, int]]
    ) -> bool:
        """Change an argument such that `demand` holds; False where none can be."""
        left, right = (_value(side, frame) for side in (demand.left, demand.right))
        place = self._place(demand.left, frames)
        other = None if demand.right is None else self._place(demand.right, frames)
        if demand.kind == "given" and left is None:
            name = getattr(demand.left, "id", "")
            if place is not None and name not in self.given[place[0]]:
                return self._need(place)
            return bool(name) and self._learn_extra(name, frames)  # it was given and did not arrive
        if demand.kind == "instance" and place is not None and not isinstance(left, _kinds(right)):
            return self._learn_class(place, _kinds(right))
        if demand.kind == "one of" and place is not None and isinstance(right, Collection):
            return any(self._set(place, each) for each in right if each != left)
        if demand.kind in ("true", "false") and place is not None and isinstance(left, bool):
            return self._set(place, demand.kind == "true")
        if not all(isinstance(each, int) for each in (left, right)):
            return False
        return holds(demand.kind, left, right) is False and any(
            where is not None and 0 < number <= _LARGEST and self._set(where, number)
            for where, number in numbers(demand.kind, left, right, place, other)
        )

    def _place(
        self, node: ast.expr, frames: list[tuple[FrameType, int]]
    ) -> tuple[_Made, str] | None:
        """The argument of something we made that an expression of the user's stands for."""
        if isinstance(node, ast.Attribute):
            name = node.attr
        elif isinstance(node, ast.Name):
            name = node.id
        elif isinstance(node, ast.Call) and len(node.args) == 1:  # len(layers), int(width)
            return self._place(node.args[0], frames)
        else:
            return None
        known = [made for made, _ in self._made_in(frames)]
        exact = [(made, name) for made in known if name in _parameters(made)]
        rest = [(made, each) for made in known for each in self.extra.get(made, ())]
        # dec_max_seq_len stands for max_seq_len
        prefixed = [one for one in rest if one[1].endswith(f"_{name}") and one not in self.values]
        handed_on = [one for one in rest if one[1] == name]
        return next(iter([*exact, *prefixed, *handed_on]), None)

    def _made_in(
        self, frames: list[tuple[FrameType, int]]
    ) -> Iterator[tuple[_Made, Collection[str]]]:
        """The things of ours whose making the frames show, innermost first; then all others."""
        seen = []
        for frame, _ in frames:
            owner = frame.f_locals.get("self")
            for made in self.given:
                is_it = type(owner) is made if isinstance(made, type) else _runs(made, frame)
                if is_it and made not in seen:
                    seen.append(made)
        for made in (*seen, *(made for made in reversed(self.given) if made not in seen)):
            yield made, {*_parameters(made), *self.extra.get(made, {})}

    def _learn_named(self, message: str, frames: list[tuple[FrameType, int]]) -> bool:
        """Give an argument that a message names and that was left to a default of None."""
        words = _WORD.findall(message)
        for made, _ in self._made_in(frames):
            for name, parameter in inspect.signature(made).parameters.items():
                if name in words and parameter.default is None and name not in self.given[made]:
                    return self._need((made, name))
        return False

    def _need(self, place: tuple[_Made, str]) -> bool:
        new = place not in self.needed and place not in self.values
        self.needed.add(place)
        return new

    def _set(self, place: tuple[_Made, str], value: Any) -> bool:
        """Give `value`; a value that was learned before and refused again stays."""
        if place in self.values:
            return False
        self.values[place] = literal(value)
        return True

    def _learn_class(self, place: tuple[_Made, str], kinds: tuple[type, ...]) -> bool:
        known = self.classes.get(place)
        fitting = [kind for kind in kinds if issubclass(kind, nn.Module)] or list(kinds)
        if known in fitting or not fitting:
            return False
        self.classes[place] = fitting[-1]  # lists go from the part to the whole, if anywhere
        return True


def missing_key(error: BaseException) -> str | None:
    """The key that a configuration of ours lacked."""
    if isinstance(error, KeyError) and error.args and isinstance(error.args[0], str):
        return error.args[0]
    if isinstance(error, AttributeError) and isinstance(error.obj, SimpleNamespace):
        return error.name
    return None


def _takes_more(made: _Made) -> bool:
    kinds = [each.kind for each in inspect.signature(made).parameters.values()]
    return inspect.Parameter.VAR_KEYWORD in kinds


def _parameters(made: _Made) -> set[str]:
    """What `made` can be given: also what a base of it takes, to which `**kwargs` are handed on."""
    names = set(inspect.signature(made).parameters)
    if isinstance(made, type) and _takes_more(made):
        chain = [base for base in inspect.getmro(made) if "__init__" in vars(base)]
        for base in chain[1:2]:
            names |= _parameters(base)
    return names


def _runs(made: _Made, frame: FrameType) -> bool:
    return getattr(inspect.unwrap(made), "__code__", None) is frame.f_code


def _prefixes(frames: list[tuple[FrameType, int]]) -> set[str]:
    """Texts such as "enc_" that the code on the stack sorts keyword arguments by."""
    globals_ = [frame.f_globals for frame, _ in frames]
    constants = [text for frame, _ in frames for text in frame.f_code.co_consts]
    named = [value for scope in globals_ for value in scope.values() if isinstance(value, str)]
    texts = [text for text in (*constants, *named) if isinstance(text, str)]
    return {text for text in texts if re.fullmatch(r"[a-z]+_", text)}


def _value(node: ast.expr | None, frame: FrameType) -> Any:
    """What an expression of a check came to; None where that cannot be told."""
    if node is None:
        return None
    try:
        code = compile(ast.Expression(node), "<check>", "eval")
        return eval(code, {**vars(builtins), **frame.f_globals}, dict(frame.f_locals))  # noqa: S307
    except Exception:  # what raised before may raise again
        return None


def _kinds(value: Any) -> tuple[type, ...]:
    """The classes that the second argument of `isinstance` names."""
    several = value if isinstance(value, tuple) else (value,)
    return tuple(each for each in several if isinstance(each, type))
