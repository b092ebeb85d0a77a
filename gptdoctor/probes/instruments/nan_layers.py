"""Which layer gives the first NaN, by hooks alone.

Torch's attention takes a shorter way while it evaluates, unless somebody watches its operations.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn
from torch.nn.modules.module import register_module_forward_hook

from gptdoctor.core.findings import Place
from gptdoctor.probes.instruments.arguments import tensors
from gptdoctor.specimen.places import user_place


class NanLayers:
    """Notes the first layer that makes NaN of what has none."""

    def __init__(self, root: str) -> None:
        self._root = root
        self.layer = ""  # its class
        self.place: Place | None = None  # of the user's line that called it

    def __call__(self, module: nn.Module, given: tuple[Any, ...], result: Any) -> None:
        """Look at what one layer was given and gave."""
        if not self.layer and _has_nan(result) and not _has_nan(given):
            self.layer = type(module).__name__
            self.place = user_place(sys._getframe(1), self._root)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Look at all layers meanwhile."""
        hook = register_module_forward_hook(self)
        try:
            yield
        finally:
            hook.remove()


def _has_nan(value: Any) -> bool:
    return any(each.is_floating_point() and bool(each.isnan().any()) for each in tensors(value))
