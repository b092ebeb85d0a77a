"""Which operations leave the vectors of a projection as long as it made them."""

from __future__ import annotations

from gptdoctor.probes.instruments.operation_log import Operation

# What changes where the numbers of a projection are, or turns pairs of them by an angle.
HARMLESS = frozenset(
    {
        "view",
        "reshape",
        "transpose",
        "permute",
        "__getitem__",
        "chunk",
        "split",
        "unbind",
        "unflatten",
        "flatten",
        "contiguous",
        "clone",
        "cat",
        "stack",
        "repeat",
        "repeat_interleave",
        "expand",
        "unsqueeze",
        "squeeze",
        "swapaxes",
        "swapdims",
        "movedim",
        "narrow",
        "index_select",
        "roll",
        "neg",
        "__neg__",
        "add",
        "__add__",
        "__radd__",
        "sub",
        "__sub__",
        "dropout",
        "to",
        "float",
        "type_as",
        "view_as_complex",
        "view_as_real",
        "view_as",
        "reshape_as",
        "expand_as",
        "broadcast_to",
        "flip",
        "concat",
        "concatenate",
        "tensor_split",
        "split_with_sizes",
        "double",
        "half",
        "bfloat16",
        "type",
        "__get__",
        "size",
    }
)
_TURNS = frozenset({"mul", "__mul__", "__rmul__"})


def keeps_size(operation: Operation) -> bool:
    """Whether an operation leaves vectors as long as they were: it moves, or turns by an angle."""
    if operation.name in HARMLESS:
        return True
    if operation.name not in _TURNS or len(operation.given) != 2:
        return False  # by a number, or a norm, or something unknown
    smaller = min(operation.given, key=lambda each: each.numel())
    turns = smaller.numel() > 1 and not smaller.requires_grad
    return turns and bool(smaller.detach().abs().max() <= 1.0 + 1e-4)
