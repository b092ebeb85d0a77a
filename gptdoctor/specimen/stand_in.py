"""What stands in the user's files for an import that did not resolve.

It can be bound, passed on, subscripted and written into annotations and unions, as far as an
import goes that building the model does not need.  Where it is called, subclassed, iterated or
taken for a value, it says so and fails: then the model does need what is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, NoReturn

Refusal = Callable[[str], NoReturn]


class RefusedError(Exception):
    """What stands for something was asked for the thing itself."""

    def __init__(self, text: str, refuse: Refusal, origin: Any) -> None:
        """`refuse` raises the same again for another name; `origin` is the record of the lack."""
        super().__init__(text)
        self.refuse = refuse
        self.origin = origin

    def withdraw(self) -> None:
        """What was asked for could be done without."""


class NotRunError(RefusedError):
    """A statement at the top level of a file would have made what is needed, and was not run."""


class StandIn:
    """An object that was to be imported or made and does not exist, and all its attributes."""

    def __init__(self, name: str, refuse: Refusal) -> None:
        """`refuse` is called with the name of what is needed after all, and raises."""
        self._name = name
        self._refuse = refuse

    def __repr__(self) -> str:
        return f"<stand-in for {self._name}, which is not there>"

    def refuse(self) -> NoReturn:
        """Say what is missing, as if it had been used here."""
        self._refuse(self._name)

    def __getattr__(self, name: str) -> StandIn:
        # Special names are how Python, copy and inspect ask for abilities that this has not.
        # A version is a value that people compare, and comparing is refused.
        if name.startswith("__") and name != "__version__":
            raise AttributeError(name)
        return StandIn(f"{self._name}.{name}", self._refuse)

    def __getitem__(self, item: object) -> StandIn:
        return self

    def __setitem__(self, item: object, value: object) -> None:
        """A setting of a package that is not there has no effect."""

    def __or__(self, other: object) -> StandIn:
        return self

    def __ror__(self, other: object) -> StandIn:
        return self

    def __instancecheck__(self, instance: object) -> bool:
        return False  # nothing can be an instance of a class that does not exist

    def __subclasscheck__(self, cls: type) -> bool:
        return False

    def __deepcopy__(self, memo: object) -> StandIn:
        return self

    def __mro_entries__(self, bases: object) -> NoReturn:
        self._refuse(self._name)


def _needed(self: StandIn, *arguments: Any, **named: Any) -> NoReturn:
    self._refuse(self._name)


# All that asks for a value.  Not equality and hash: sets, dicts and `is None` tests need those.
_VALUE_METHODS = """
    call bool len iter next contains enter exit await int float index complex lt le gt ge neg abs
    invert add radd sub rsub mul rmul matmul rmatmul truediv rtruediv floordiv rfloordiv mod rmod
    pow rpow and rand fspath
"""
for _method in _VALUE_METHODS.split():
    setattr(StandIn, f"__{_method}__", _needed)


class Grafted(ModuleType):
    """A module as one file sees it: the real one, with stand-ins for the names that it lacks.

    Only the file whose import failed gets to see this; `sys.modules` keeps the real one.
    """

    def __init__(self, real: ModuleType, grafts: Mapping[str, object]) -> None:
        super().__init__(real.__name__)
        self.__dict__.update(grafts)
        self._real = real

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)
