"""What the tests of rules about crashes share: statements that build and call a model."""

from __future__ import annotations

from collections.abc import Mapping

from gptdoctor.core.findings import Value
from gptdoctor.source.laid_out import laid_out


def failing_call(values: Mapping[str, Value], *, called: bool = True) -> str:
    """The model built as in `values`, and called; "" where not all of that is known.

    `imports` are those of a model that never ran: nothing else in the file brings its names.
    """
    build, call, imports = (values.get(key) for key in ("build", "call", "imports"))
    if "(" not in str(build) or (called and not call):
        return ""
    own = [str(line) for line in imports] if isinstance(imports, tuple) else []
    lines = [line for line in own if line != "import torch"]  # the file has that one anyway
    lines += ["torch.manual_seed(0)", laid_out(f"model = {build}")]
    return "\n".join([*lines, str(call)] if called else lines) + "\n"


def failing_generation(values: Mapping[str, Value]) -> str:
    """The model asked for a token, "" where that call is not known."""
    call = str(values.get("call") or "")
    if not call:
        return ""
    lines = ["model = build().eval()", str(values["given"])]
    lines += ["temperature = 1.0"] if "temperature" in call else []
    return "\n".join([*lines, "with torch.no_grad():", f"    {call}"]) + "\n"
