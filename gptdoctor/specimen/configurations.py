"""Arguments and configuration objects for a constructor, as values and as code."""

from __future__ import annotations

import dataclasses
import inspect
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from torch import nn

from gptdoctor.specimen.hints import (
    attribute_of,
    has_factory,
    hint_of,
    is_plain,
    is_told,
)
from gptdoctor.specimen.holders import CONFIG_CLASS, config_class, from_dictionary, value_for
from gptdoctor.specimen.lessons import Lessons
from gptdoctor.specimen.misjudged import OF_TENSORS, is_tensor
from gptdoctor.specimen.module_sizes import Change, changes
from gptdoctor.specimen.presets import smallest_preset
from gptdoctor.specimen.reads import (
    CONFIG_NAMES,
    Makes,
    Reads,
    classes_in,
    is_own_module,
    makes_modules,
    project_modules,
    reads_of,
)
from gptdoctor.specimen.submodules import causal_flags, is_layer, is_part, is_table, meant, part_for
from gptdoctor.specimen.values import (
    MISSING,
    NoIdeaError,
    Written,
    call_code,
    called,
    keywords,
    literal,
    name_of,
    small,
)
from gptdoctor.specimen.variants import Variant

# A config in a config in a config is common; a class that contains itself must not loop.
_DEEPEST = 4


@dataclasses.dataclass
class Maker:
    """Makes instances with the sizes of one variant, and with what refusals have taught."""

    root: str
    module: types.ModuleType
    family: frozenset[str]
    variant: Variant
    lessons: Lessons = dataclasses.field(default_factory=Lessons)
    attempted: str = ""  # the code of the last call of what was asked for, be it refused or not

    def instance(self, made: Callable[..., Any], depth: int = 0, like: Any = None) -> Written:
        """What `made`, a class or a function, gives for small sizes.

        What is no size is as in `like`, if given.
        """
        if depth > _DEEPEST:
            raise NoIdeaError(made.__name__)
        arguments = dict(self.arguments(made, depth, like))
        self.lessons.given[made] = {name: value.value for name, value in arguments.items()}
        self.attempted = "" if depth else call_code(made, arguments)
        written = called(made, arguments)
        if makes_modules(made):
            return written
        inner = dict(self._left_large(made, written.value, arguments, depth))
        if inner:
            return called(made, arguments | inner)
        return written if arguments else self._without_arguments(made, written.value)

    def _left_large(
        self, made: Callable[..., Any], value: Any, given: Mapping[str, Written], depth: int
    ) -> Iterator[tuple[str, Written]]:
        """Configurations that `value` made for itself where it was given none: at full size."""
        for name in inspect.signature(made).parameters:
            inner = None if name in given else attribute_of(value, name)
            if self._buildable(type(inner), inner):
                yield name, self.instance(type(inner), depth + 1, inner)

    def _without_arguments(self, made: Callable[..., Any], plain: Any) -> Written:
        """A configuration whose sizes are constants of the class, or set by its constructor."""
        derived = self._constants_of(made)
        if derived is not None:
            return Written(derived.value(), f"{derived.code}()")
        own: dict[str, Any] = dict(getattr(plain, "__dict__", {}))
        changed = self._shrunk(own)
        if not changed:
            return Written(plain, f"{name_of(made)}()")
        values = {key: value.value for key, value in changed.items()}
        code = f"SimpleNamespace(**(vars({name_of(made)}()) | dict({keywords(changed)})))"
        return Written(types.SimpleNamespace(**(own | values)), code)

    def _constants_of(self, made: Any) -> Written | None:
        """A class like `made` whose constants are small; None where there are none to change."""
        constants = self._class_attributes(made)
        if not constants:
            return None
        values = {key: value.value for key, value in constants.items()}
        code = f'type("Tiny", ({name_of(made)},), dict({keywords(constants)}))'
        return Written(type("Tiny", (made,), values), code)

    def arguments(
        self, made: Callable[..., Any], depth: int, like: Any = None
    ) -> Iterator[tuple[str, Written]]:
        """The arguments of a call of `made` that its defaults do not serve."""
        parameters = inspect.signature(made).parameters
        siblings = frozenset(parameters)
        for name, parameter in parameters.items():
            if like is not None and is_told(attribute_of(like, name), parameter):
                yield name, self._as_in(like, name, siblings)
                continue
            if parameter.kind is inspect.Parameter.VAR_KEYWORD:
                extra = self._extra(name, made, siblings)
                yield from (each for each in extra if (made, each[0]) not in self.lessons.withheld)
            elif parameter.kind is not inspect.Parameter.VAR_POSITIONAL:
                value = self._argument(name, parameter, made, siblings, depth)
                if value is not None:
                    yield name, value

    def _as_in(self, like: Any, name: str, siblings: frozenset[str]) -> Written:
        """The attribute of another instance, made small where it is a size."""
        value = getattr(like, name)
        return small(name, value, None, self.variant, siblings) or literal(value)

    def _argument(
        self,
        name: str,
        parameter: inspect.Parameter,
        made: Callable[..., Any],
        siblings: frozenset[str],
        depth: int,
    ) -> Written | None:
        """A value for one parameter, or None where the default serves."""
        default = MISSING if has_factory(parameter.default) else parameter.default
        hint = hint_of(parameter.annotation, made)
        default = MISSING if (made, name) in self.lessons.needed else default
        special = self._learned(made, name, depth) or self._part(made, name, hint, default, depth)
        if special is not None:
            return special
        # A configuration that may hold any other one makes the right one for itself.
        any_other = default is not MISSING and isinstance(made, type) and hint in made.__mro__[1:]
        if self._buildable(hint, default) and not any_other:
            return self._made_for(made, meant(hint, self._own), depth)
        if default is not MISSING and self._buildable(type(default), default):
            return self.instance(type(default), depth + 1)
        if isinstance(default, type) and self._own(default) and not issubclass(default, nn.Module):
            return self._constants_of(default)
        if has_factory(parameter.default):
            return None
        loose = hint in (None, dict, object) or typing.get_origin(hint) in (dict, Mapping)
        loose = loose or (name in CONFIG_NAMES and not is_plain(hint))  # a Namespace, a DictConfig
        if loose and default in (MISSING, None) and makes_modules(made):
            holder = self._holder(name, made, required=default is MISSING)
            if holder is not None:
                return holder
        if default is MISSING and is_tensor(hint):
            return self.lessons.vectors()
        if default is MISSING and not is_plain(hint):
            raise NoIdeaError(f"{name}: {hint.__name__}")
        preset = smallest_preset(default, made) if isinstance(default, str) else None
        value = preset or small(name, default, hint, self.variant, siblings)
        same = value is not None and default is not MISSING and value.value == default
        return None if same else value

    def _learned(self, made: Callable[..., Any], name: str, depth: int) -> Written | None:
        """What a refusal taught to give."""
        if (made, name) in self.lessons.values:
            return self.lessons.values[made, name]
        kind = self.lessons.classes.get((made, name))
        return None if kind is None else self.instance(kind, depth + 1)

    def _part(
        self, made: Callable[..., Any], name: str, hint: Any, default: Any, depth: int
    ) -> Written | None:
        """A module, where one is wanted of which no class is told."""
        if default is not MISSING or not is_part(name, hint):
            return None
        kind = part_for(name, made, self._modules(), self._own, self.root)
        self.lessons.guessed |= kind is not None
        return None if kind is None else self._made_for(made, kind, depth)

    def _made_for(self, made: Callable[..., Any], kind: type, depth: int) -> Written:
        """An instance to be given to `made`: causal, if that is what it takes."""
        for flag in causal_flags(made, kind):
            self.lessons.values.setdefault((kind, flag), literal(True))
        return self.instance(kind, depth + 1)

    def _buildable(self, hint: Any, default: Any) -> bool:
        """Whether `hint` is a configuration, or a class of the user's that is required here."""
        if is_plain(hint):
            return False
        if issubclass(hint, nn.Module):
            return default is MISSING and (self._own(hint) or is_layer(hint))
        if dataclasses.is_dataclass(hint) or CONFIG_CLASS.fullmatch(hint.__name__) is not None:
            return True
        return default is MISSING and self._own(hint)

    def _own(self, known: type) -> bool:
        """Whether a class is the user's."""
        return is_own_module(known.__module__, self.root)

    def _extra(
        self, name: str, made: Callable[..., Any], siblings: frozenset[str]
    ) -> Iterator[tuple[str, Written]]:
        """What `**kwargs` may take: constants of a configuration class, keys that are read."""
        if not makes_modules(made):
            found = {**self._class_attributes(made), **dict(self._inherited(made, siblings))}
            yield from (found | self._shown(made)).items()
            return
        reads = reads_of(name, self._classes())
        table = self._table_in(made)
        reads.keys.update({str(key): Reads() for key in (*table, *self.lessons.extra_for(made))})
        for key in sorted(reads.keys.keys() - siblings):
            value = self.lessons.values.get((made, key)) or value_for(
                key, reads, table, self.variant
            )
            if key not in table or value.value != table[key]:
                yield key, value

    def _shown(self, made: Callable[..., Any]) -> dict[str, Written]:
        """What is known to be given in the `**kwargs` of `made`."""
        values = self.lessons.values
        extra = self.lessons.extra.get(made, ())
        return {key: values[made, key] for key in extra if (made, key) in values}

    def _inherited(
        self, made: Callable[..., Any], siblings: frozenset[str]
    ) -> Iterator[tuple[str, Written]]:
        """The sizes that the constructor of a base takes, to which `**kwargs` are handed on."""
        chain = [base for base in inspect.getmro(made) if "__init__" in vars(base)]  # type: ignore[arg-type]
        for base in chain[1:]:
            for name, parameter in inspect.signature(base).parameters.items():
                told = name not in siblings and isinstance(parameter.default, int | float)
                value = told and small(name, parameter.default, None, self.variant, siblings)
                if value and value.value != parameter.default:
                    yield name, value

    def _table_in(self, made: Callable[..., Any]) -> Mapping[str, Any]:
        """The dictionary of defaults that a constructor lays under its `**kwargs`."""
        code = getattr(inspect.unwrap(getattr(made, "__init__", made)), "__code__", None)
        names = code.co_names if code is not None else ()
        values = (vars(self.module).get(name) for name in names)
        return next((value for value in values if isinstance(value, dict)), {})

    def _class_attributes(self, made: Any) -> dict[str, Written]:
        """The numbers among the class attributes of a configuration class, made small."""
        found: dict[str, Any] = {}
        for base in reversed(inspect.getmro(made)):
            if self._own(base):
                found.update(vars(base))
        return self._shrunk({k: v for k, v in found.items() if not k.startswith("_")})

    def changes(self) -> list[Change]:
        """What makes the sizes small that the model reads from its modules."""
        return list(changes(self.module, self.root, self.family, self._shrunk))

    def _shrunk(self, values: Mapping[str, Any]) -> dict[str, Written]:
        """Of `values` those that a tiny model wants changed."""
        chosen = {k: small(k, v, None, self.variant, frozenset(values)) for k, v in values.items()}
        return {k: v for k, v in chosen.items() if v is not None and v.value != values[k]}

    def _classes(self) -> list[Makes]:
        """The class statements that this model is made of."""
        return classes_in(project_modules(self.root), self.family)

    def _modules(self) -> list[types.ModuleType]:
        """The user's modules, the model's own first."""
        return [self.module, *project_modules(self.root)]

    def _holder(self, name: str, made: Any, required: bool) -> Written | None:
        """An object for a parameter that holds all sizes and does not tell its class."""
        known = getattr(made, "config_class", None)  # as the models of hubs tell it
        if name in CONFIG_NAMES and isinstance(known, type):
            return self.instance(known, 1)
        if is_table(name):
            return self.instance(nn.Embedding, 1)
        reads = reads_of(name, self._classes())
        if required and reads.keys and reads.keys.keys() <= OF_TENSORS:
            return self.lessons.vectors()
        # What holds all sizes has several; one key of what may be left out is a layer's weight.
        if name not in CONFIG_NAMES and len(reads.keys) < (1 if required else 2):
            return None
        known = None if reads.subscripted else config_class(reads, self._modules())
        if known is not None:
            return self.instance(known, 1)
        if not reads.keys and not required:
            return None
        return from_dictionary(reads, self._modules(), self.lessons, self.variant)
