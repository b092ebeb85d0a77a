"""The tensors that a gradient reaches: the leaves of the graph behind a tensor."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor


def leaves(tensor: Tensor) -> Iterator[Tensor]:
    """The tensors that backward from `tensor` would give a gradient, each once."""
    if tensor.grad_fn is None:
        if tensor.requires_grad:
            yield tensor
        return
    waiting, seen = [tensor.grad_fn], {tensor.grad_fn}
    while waiting:
        node = waiting.pop()
        variable = getattr(node, "variable", None)  # of AccumulateGrad alone
        if isinstance(variable, Tensor):
            yield variable
        for following, _ in node.next_functions:
            if following is not None and following not in seen:
                seen.add(following)
                waiting.append(following)
