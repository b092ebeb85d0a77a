"""What torch has answered before of tensors without data: the same question has the same answer.

A model asks the same of each of its layers.  torch remembers too, and is three times as long about
it, for it also has to know sizes that are no numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor

# Arguments that decide a shape by their value alone.
_PLAIN = (bool, int, float, str, torch.dtype, torch.device, torch.layout, torch.memory_format)


@dataclass(frozen=True)
class _Form:
    """A tensor that was made, and where it lies: in memory of its own, or in an argument's."""

    shape: tuple[int, ...]
    stride: tuple[int, ...]
    dtype: torch.dtype
    device: torch.device
    offset: int
    inside: int | None  # the index of that argument


@dataclass(frozen=True)
class _Answer:
    forms: tuple[_Form | None, ...]
    gather: Callable[[list[Tensor | None]], Any]  # into what the operation returns


_IN_PLACE = _Answer((), list)  # its first argument, as it was: there is no data to change


class _NoKeyError(Exception):
    """The question holds what is not known by its form."""


class Answered:
    """The answers of one fake mode."""

    def __init__(self, mode: Any, tensor: Any, kernel: Callable[[Any], Any]) -> None:
        """`tensor` is the class of its tensors; in `kernel(mode)` the plain ones are made."""
        self._mode = mode
        self._tensor = tensor
        self._kernel: Callable[[Any], AbstractContextManager[Any]] = kernel
        self._known: dict[tuple[Any, ...], _Answer | None] = {}

    def ask(self, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """What `func` returns, whose tensors have no data."""
        if not _can_be_known(func):
            return func(*args, **kwargs)
        key = [func, torch.get_default_dtype(), torch.is_inference_mode_enabled()]
        try:
            self._describe(key, args)
            for name, value in kwargs.items():
                self._describe(key, (name, value))
        except (_NoKeyError, RuntimeError):  # a sparse tensor has no strides
            return func(*args, **kwargs)
        question = tuple(key)
        answer = self._known.get(question)
        if answer is not None:
            return self._again(answer, args)
        made = func(*args, **kwargs)
        if question not in self._known:
            self._known[question] = self._answer(func, args, made)
        return made

    def _describe(self, key: list[Any], values: Any) -> None:
        """Add to the key all of these arguments that can decide an answer."""
        key.append(len(values))
        for value in values:
            kind = type(value)
            if kind is self._tensor:
                if value.constant is not None or value.dtype.is_complex:
                    raise _NoKeyError
                key += value.shape, value.stride(), value.storage_offset(), value.dtype
                key.append(value.fake_device)
            elif kind in _PLAIN or value is None:
                key += kind, value  # 1, 1.0 and True are one key, and three questions
            elif kind is list or kind is tuple:
                self._describe(key, value)
            else:
                raise _NoKeyError

    def _answer(self, func: Any, args: tuple[Any, ...], made: Any) -> _Answer | None:
        """How to give this answer again; None where it has to be asked for."""
        if func._schema.is_mutable:
            return _IN_PLACE if args and made is args[0] else None
        several = type(made) in (list, tuple)
        parts = made if several else [made]
        if not all(each is None or self._is_usual(each) for each in parts):
            return None
        memory = {_memory(each): n for n, each in enumerate(args) if isinstance(each, Tensor)}
        forms = tuple(None if each is None else _form(each, memory) for each in parts)
        views = func.is_view or func is torch.ops.aten._unsafe_view.default
        if any(form is not None and form.inside is not None for form in forms) != views:
            return None
        return _Answer(forms, type(made) if several else _only)

    def _is_usual(self, made: Any) -> bool:
        return (
            type(made) is self._tensor
            and made.constant is None
            and made.layout is torch.strided
            and not made.dtype.is_complex
            and not made.requires_grad
        )

    def _again(self, answer: _Answer, args: tuple[Any, ...]) -> Any:
        if answer is _IN_PLACE:
            return args[0]
        forms = answer.forms
        memories = [
            None if form is None or form.inside is None else args[form.inside].untyped_storage()
            for form in forms
        ]
        with self._kernel(self._mode):
            plain = [_plain(form, memory) for form, memory in zip(forms, memories, strict=True)]
        return answer.gather(
            [
                None if form is None else self._tensor(self._mode, each, form.device)
                for form, each in zip(forms, plain, strict=True)
            ]
        )


@cache
def _can_be_known(func: Any) -> bool:
    """Whether the forms of what it is given decide the form of what it makes, and that is all."""
    schema = getattr(func, "_schema", None)  # a higher-order operator has none
    if schema is None or func.namespace != "aten":
        return False
    tags = torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape, torch.Tag.inplace_view
    if not set(func.tags).isdisjoint(tags):
        return False
    composite = torch._C.DispatchKey.CompositeImplicitAutograd
    # Some of these return a view for some sizes, and a copy for others.
    return not (
        func.is_view and torch._C._dispatch_has_kernel_for_dispatch_key(func.name(), composite)
    )


def _memory(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)


def _form(made: Any, memory: Mapping[int, int]) -> _Form:
    return _Form(
        shape=tuple(made.shape),
        stride=tuple(made.stride()),
        dtype=made.dtype,
        device=made.fake_device,
        offset=int(made.storage_offset()),
        inside=memory.get(_memory(made)),
    )


def _plain(form: _Form | None, memory: Any) -> Tensor | None:
    if form is None:
        return None
    made = torch.empty_strided(form.shape, form.stride, dtype=form.dtype, device="meta")
    if memory is not None:
        made.set_(memory, form.offset, form.shape, form.stride)
    return made


def _only(made: list[Tensor | None]) -> Tensor | None:
    return made[0]
