"""The first module at which two runs of a model part."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from gptdoctor.core.findings import Place
from gptdoctor.specimen.outputs import tensors_in
from gptdoctor.specimen.places import project_path, symbol_of

Outputs = list[tuple[str, Tensor]]  # name of a module and its output, in the order of their ends


@contextmanager
def outputs_of(model: nn.Module) -> Iterator[Outputs]:
    """The first tensor [B, T, ...] of each module's output, as the modules end."""
    found: Outputs = []

    def note(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, given: Any, output: Any) -> None:
            tensor = next((t for _, t in tensors_in(output) if t.is_floating_point()), None)
            if tensor is not None and tensor.dim() >= 2:
                found.append((name, tensor.detach().clone()))

        return hook

    handles = [
        module.register_forward_hook(note(name)) for name, module in model.named_modules() if name
    ]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


def first_difference(full: Outputs, step: Outputs, position: int, tolerance: float) -> str:
    """The name of the first module whose one-token output differs from the full one's; "": none.

    `full` holds outputs [B, T, ...] over the whole text, `step` those [B, 1, ...] at `position`.
    """
    whole: dict[str, list[Tensor]] = {}
    for name, tensor in full:
        whole.setdefault(name, []).append(tensor)
    for name, tensor in step:
        others = whole.get(name) or []
        other = others.pop(0) if others else None
        if other is None or other.dim() != tensor.dim() or tensor.dim() < 3:
            continue
        if tensor.shape[1] != 1 or other.shape[1] <= position:
            continue
        wanted = other[:, position : position + 1]
        if wanted.shape != tensor.shape:
            continue
        scale = float(wanted.abs().max()) or 1.0
        if float((wanted - tensor).abs().max()) > tolerance * scale:
            return name
    return ""


def users_modules(model: nn.Module, name: str, root: str) -> Iterator[tuple[str, Place]]:
    """The modules at `name` and around it whose forward method is the user's, innermost first."""
    while True:
        module = model.get_submodule(name)
        # What decorates it is a library's, and knows what it wraps.
        code = getattr(inspect.unwrap(type(module).forward), "__code__", None)
        path = None if code is None else project_path(code.co_filename, root)
        if code is not None and path is not None:
            yield name, Place(path=path, symbol=symbol_of(code))
        if not name:
            return
        name = name.rpartition(".")[0]
