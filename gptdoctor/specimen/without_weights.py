"""Models that are made without their weights: on the meta device, where tensors have shapes alone.

What loads pretrained weights makes the model so first, to save the memory.  Such a model cannot
be run, and what becomes of its call says nothing of the code.
"""

from __future__ import annotations

from collections import Counter

from torch import nn

_FILLED = (
    "(lambda model: ([(part.to_empty(device='cpu', recurse=False), part.reset_parameters())"
    " for part in model.modules() if any(p.is_meta for p in part.parameters(recurse=False))],"
    " model)[1])({code})"
)


def lacks_weights(model: nn.Module | None) -> bool:
    """Whether a parameter or a buffer of the model has no numbers, only a shape."""
    return model is not None and bool(_bare(model))


def why_not_run(model: nn.Module) -> str:
    """What to say of such a model, with the name of one such tensor."""
    return f"it leaves tensors on the meta device, without numbers, such as {_bare(model)[0]}"


def with_weights(model: nn.Module) -> bool:
    """Fill what is on the meta device as torch's layers are filled; False where nobody tells how.

    A layer that can do so draws its weights anew (`reset_parameters`).  Those of a module that
    cannot, a buffer by itself (a mask, a table of angles) and a weight that two modules share are
    to be what the user's code makes of them, and that is not known.
    """
    parts = [part for part in model.modules() if _own(part)]
    held = Counter(id(each) for part in parts for each in part.parameters(recurse=False))
    for part in parts:
        own = list(part.parameters(recurse=False))
        alone = all(held[id(each)] == 1 and each.is_meta for each in own)
        if not own or not alone or not callable(getattr(part, "reset_parameters", None)):
            return False
        part.to_empty(device="cpu", recurse=False)
        part.reset_parameters()  # type: ignore[operator]  # a method, as torch's layers have it
    return not lacks_weights(model)


def with_weights_code(code: str) -> str:
    """The expression that does the same with what `code` makes."""
    return _FILLED.replace("{code}", code)


def _bare(model: nn.Module) -> list[str]:
    """The names of the tensors without numbers; an empty one is complete."""
    named = (*model.named_parameters(), *model.named_buffers())
    return [name for name, each in named if each.is_meta and each.numel()]


def _own(part: nn.Module) -> bool:
    """Whether a module holds such a tensor itself."""
    own = (*part.parameters(recurse=False), *part.buffers(recurse=False))
    return any(each.is_meta and each.numel() for each in own)
