"""The tensor operations of a pass that fails, up to and with the one that fails."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from traceback import walk_tb
from typing import Any

from torch import Tensor, nn

from gptdoctor.core.findings import Place
from gptdoctor.probes.instruments.arguments import tensors
from gptdoctor.probes.instruments.operation_log import Operation, OperationLog
from gptdoctor.specimen.failures import FAILURES
from gptdoctor.specimen.places import project_path, user_place

Shape = tuple[int, ...]


@dataclass(kw_only=True)
class CrashLog(OperationLog):
    """While active, lists all operations, and keeps the first that fails."""

    failed: Operation | None = None

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        try:
            return super().__torch_function__(func, types, args, kwargs)
        except Exception:
            if self.failed is None:
                self.failed = Operation(
                    name=getattr(func, "__name__", ""),
                    place=user_place(sys._getframe(1), self.root),
                    args=args,
                    kwargs=kwargs or {},
                    given=tuple(tensors((args, kwargs or {}))),
                    made=(),
                )
            raise


@dataclass(frozen=True, kw_only=True, eq=False)
class FailedRun:
    """What a pass did, and the modules in whose calls it failed, outermost first."""

    operations: tuple[Operation, ...]
    failed: Operation | None  # None: no tensor operation failed
    modules: tuple[nn.Module, ...]
    makers: dict[int, int] = field(default_factory=dict)  # by tensor: its operation's number
    error: BaseException | None = None  # with which it ended

    def maker(self, tensor: Tensor) -> Operation | None:
        """The operation that made a tensor; None: it was there before."""
        number = self.makers.get(id(tensor))
        return None if number is None else self.operations[number]


def failed_run(run: Callable[[], object], root: str) -> FailedRun:
    """Run something that may fail, and list what it did."""
    log = CrashLog(root=root)
    modules: tuple[nn.Module, ...] = ()
    ended: BaseException | None = None
    try:
        with log:
            run()
    except FAILURES as error:
        modules, ended = tuple(_modules(error)), error
    else:
        log.failed = None  # the user's code got over it
    makers: dict[int, int] = {}
    for number, operation in enumerate(log.operations):
        for tensor in operation.made:
            makers.setdefault(id(tensor), number)
    return FailedRun(
        operations=tuple(log.operations),
        failed=log.failed,
        modules=modules,
        makers=makers,
        error=ended,
    )


def _modules(error: BaseException) -> list[nn.Module]:
    frames = [frame for frame, _ in walk_tb(error.__traceback__)]
    selves = (frame.f_locals.get("self") for frame in frames)
    return list(dict.fromkeys(one for one in selves if isinstance(one, nn.Module)))


def is_users(module: nn.Module, root: str) -> bool:
    """Whether a module's class is the user's own."""
    code = getattr(type(module).forward, "__code__", None)
    return code is not None and project_path(code.co_filename, root) is not None


def same_step(run: FailedRun, operation: Operation, other: FailedRun) -> Operation | None:
    """The operation of another run that did the same there: the same line, name and turn."""
    key = _key(operation)
    turn = 0
    for one in run.operations:
        if one is operation:
            break
        turn += _key(one) == key
    found = [one for one in (*other.operations, other.failed) if one is not None]
    alike = [one for one in found if _key(one) == key]
    return alike[turn] if turn < len(alike) else None


def _key(operation: Operation) -> tuple[str, Place | None, int]:
    return operation.name, operation.place, len(operation.given)
