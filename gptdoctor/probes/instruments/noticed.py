"""Whether an operation of some kind is run at all: much cheaper than a recording."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch.overrides import TorchFunctionMode

from gptdoctor.probes.instruments.steady import Steady
from gptdoctor.specimen.duplicate import duplicate

# Whether an operation is one, by its name, its arguments and its result.
Sign = Callable[[str, tuple[Any, ...], Any], bool]


class _Noticing(TorchFunctionMode):
    """While active, looks for the sign in every operation."""

    def __init__(self, sign: Sign) -> None:
        super().__init__()
        self.found = False
        self._sign = sign

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        name = str(getattr(func, "__name__", ""))
        self.found = self.found or self._sign(name, args, result)
        return result


def is_run(steady: Steady, inputs: dict[str, Any], sign: Sign) -> bool:
    """Whether some operation of a call with these inputs is one of which `sign` holds."""
    noticing = _Noticing(sign)
    model = duplicate(steady.model) if steady.keeps_state else steady.model
    with noticing:
        steady.run(model, inputs)
    return noticing.found
