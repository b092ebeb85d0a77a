"""How the logits are read from what a call returns, as code that a user can paste."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from gptdoctor.specimen.outputs import Layout, Path, logits_in

OUTPUT = "output"  # the name of what the call returned
_TIME_FIRST = ".transpose(0, 1)"


def logits_code(raw: Any, layout: Layout) -> str:
    """Code that gives logits [B, T, V] from `output`, in terms of B and T; "": there are none."""
    found = logits_in(raw, layout)
    return "" if found is None else f"{OUTPUT}{_steps(found[0])}{_arranged(found[1], layout)}"


def _steps(path: Path) -> str:
    return "".join(f".{key}" if how == "attribute" else f"[{key!r}]" for how, key in path)


def _arranged(tensor: Tensor, layout: Layout) -> str:
    """What `outputs.arrange` does to such a tensor."""
    turned = _TIME_FIRST if layout.time_first and tensor.dim() == 3 else ""
    if tensor.shape[-1] in layout.vocabularies:
        if tensor.dim() == 2:
            return _unflattened(tensor, layout)
        longer = tensor.shape[0 if layout.time_first else 1] > layout.length
        return f"{turned}[:, -T:]" if longer else turned
    return f"{turned}.transpose(1, 2)"


def _unflattened(tensor: Tensor, layout: Layout) -> str:
    if tensor.shape[0] != layout.batch * layout.length:
        return ".unsqueeze(1)"
    return f".view(T, B, -1){_TIME_FIRST}" if layout.time_first else ".view(B, T, -1)"
