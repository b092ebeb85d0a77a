"""A call with tensors of the user's own, as they come: of one batch, of one length."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from gptdoctor.specimen.roles import Slot, entry_of, signature_of, slots_of
from gptdoctor.specimen.trial import NoCallError


@dataclass(frozen=True, kw_only=True)
class GivenValues:
    """The arguments of one call, as values: a `given_call.Supply`."""

    entry: str
    slots: tuple[Slot, ...]
    values: Mapping[str, Any] = field(repr=False)  # by parameter
    signature: inspect.Signature = field(repr=False)
    text: str = ""  # no expression makes them

    @property
    def sizes(self) -> tuple[tuple[int, int], ...]:
        """B and T that the tensors suggest."""
        return sizes_of(self.values)

    def inputs(self, batch: int, length: int, seed: int, below: int) -> dict[str, Any]:
        """The inputs by parameter; the same ones for each seed."""
        if (batch, length) not in self.sizes:
            raise NoCallError("the tensors that you gave have one batch and one length")
        return {
            name: value.detach().clone() if isinstance(value, Tensor) else value
            for name, value in self.values.items()
        }

    def run(self, model: nn.Module, inputs: Mapping[str, Any]) -> Any:
        """Call the entry of `model` with `inputs`."""
        return called(entry_of(model, self.entry), self.signature, inputs)

    def code(self, batch: int, length: int, below: int) -> str:
        """The call, in which tensors are told by what would make such ones."""
        name = "model" if self.entry == "forward" else f"model.{self.entry}"
        given = (f"{key}={_code(value)}" for key, value in self.values.items() if "[" not in key)
        spread = (_code(value) for key, value in self.values.items() if "[" in key)
        return f"{name}({', '.join([*spread, *given])})"


def given_values(
    model: nn.Module, entry: str, arguments: tuple[Any, ...], named: Mapping[str, Any]
) -> GivenValues:
    """The call of `entry` with these arguments; raises NoCallError where it does not take them."""
    method = signature_of(model, entry)
    signature = inspect.signature(method)
    return GivenValues(
        entry=entry,
        slots=slots_of(method),
        values=by_parameter(signature, arguments, named),
        signature=signature,
    )


def by_parameter(
    signature: inspect.Signature, arguments: tuple[Any, ...], named: Mapping[str, Any]
) -> dict[str, Any]:
    """Arguments by parameter; those for `*inputs` are called `inputs[0]` and so on."""
    try:
        bound = signature.bind(*arguments, **named)
    except TypeError as error:
        raise NoCallError(f"{error}: the entry is called as {signature}") from error
    found: dict[str, Any] = {}
    for name, value in bound.arguments.items():
        kind = signature.parameters[name].kind
        if kind is inspect.Parameter.VAR_POSITIONAL:
            found |= {f"{name}[{index}]": each for index, each in enumerate(value)}
        elif kind is inspect.Parameter.VAR_KEYWORD:
            found |= value
        else:
            found[name] = value
    return found


def called(
    entry: Callable[..., Any], signature: inspect.Signature, given: Mapping[str, Any]
) -> Any:
    """Call `entry` with what `by_parameter` gave, each in the way that its signature takes it."""
    left, positional, named = dict(given), list[Any](), dict[str, Any]()
    for name, parameter in signature.parameters.items():
        if parameter.kind is parameter.VAR_POSITIONAL:
            more = [key for key in left if key.startswith(f"{name}[")]
            # what comes before `*inputs` can only be given by position then
            positional += [*named.values(), *(left.pop(key) for key in more)] if more else []
            named = {} if more else named
        elif name in left and parameter.kind is parameter.POSITIONAL_ONLY:
            positional.append(left.pop(name))
        elif name in left and parameter.kind is not parameter.VAR_KEYWORD:
            named[name] = left.pop(name)
    return entry(*positional, **named, **left)


def sizes_of(values: Mapping[str, Any]) -> tuple[tuple[int, int], ...]:
    """B and T that tensors suggest: those of whole numbers first; one dimension may be either."""
    tensors = [value for value in values.values() if isinstance(value, Tensor) and value.dim()]
    tensors.sort(key=Tensor.is_floating_point)
    return tuple(dict.fromkeys(sizes for each in tensors for sizes in _sizes(each)))


def _sizes(tensor: Tensor) -> Iterator[tuple[int, int]]:
    if tensor.dim() > 1:
        yield tensor.shape[0], tensor.shape[1]
    else:
        yield 1, tensor.shape[0]
        yield tensor.shape[0], 1


def _code(value: Any) -> str:
    if not isinstance(value, Tensor):
        return repr(value)
    shape = tuple(value.shape)
    if value.is_floating_point():
        return f"torch.randn({shape})"
    return f"torch.randint({int(value.max()) + 1 if value.numel() else 1}, {shape})"
