"""A list of the tensor operations of one forward pass, each with the user's line that asked."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode

from gptdoctor.core.findings import Place
from gptdoctor.probes.instruments.arguments import tensors
from gptdoctor.specimen.places import user_place


@dataclass(kw_only=True, eq=False)
class Operation:
    """One operation; its tensors are kept alive, so that their ids stay their own."""

    name: str
    place: Place | None  # the user's line
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    given: tuple[Tensor, ...]
    made: tuple[Tensor, ...]


@dataclass(kw_only=True)
class OperationLog(TorchFunctionMode):
    """While active, lists all operations that make floating tensors, or masks."""

    root: str
    operations: list[Operation] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        given = tuple(tensors((args, kwargs)))
        self.before(given)
        result = func(*args, **kwargs)
        made = tuple(tensors(result))
        if made:
            operation = Operation(
                name=getattr(func, "__name__", ""),
                place=user_place(sys._getframe(1), self.root),
                args=args,
                kwargs=kwargs,
                given=given,
                made=made,
            )
            self.operations.append(operation)
            self.after(operation)
        return result

    def before(self, given: tuple[Tensor, ...]) -> None:
        """What to look at before an operation changes what it is given."""

    def after(self, operation: Operation) -> None:
        """What to look at in an operation that is done."""
