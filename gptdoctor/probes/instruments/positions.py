"""What of a model holds positions, and whether it has any part in the outputs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

_WORD = re.compile(
    r"pos|positions?|positional|posemb|wpe|rope|rotary|alibi|slopes?|freqs?|cos|sin|pe|relpos"
)
# Parts that see pictures and sounds have positions of their own.
_OTHER_TOWERS = re.compile(r"visi|visual|image|img|patch|audio|video|speech|pixel|vit|clip")
# What tells order without positions, by the names of classes.
_ORDERED = re.compile(r"(?:rnn|lstm|gru|mamba|rwkv|ssm|s4|retention|hyena|recurren|shift|delta)")
_MIXING = re.compile(
    _ORDERED.pattern
    + r"|conv|attn|atten[td]|mixer|transformer|decoder|encoder_?layer|memory|mha|multi_?head"
    + r"|self_?att",
    re.IGNORECASE,
)
# Parts of such models that work on each position alone, whatever stands before it in their names.
_ALONE = re.compile(
    r"(embed(ding)?s?|norm|mlp|feed_?forward|ffn|output|(?<!multi)(?<!multi_)head)$", re.IGNORECASE
)


@dataclass(frozen=True)
class Holder:
    """A tensor that holds positions, and the module that keeps it."""

    name: str  # dotted, in the model
    owner: nn.Module
    path: str  # of the owner
    value: Tensor


def words_of(name: str) -> frozenset[str]:
    """The words of a name: "pos_emb" and "PosEmb" have the same."""
    apart = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)
    return frozenset(re.split(r"[_\W\d]+", apart.lower()))


def _names_positions(name: str) -> bool:
    words = words_of(name)
    relative = "relative" in words and bool(words & {"bias", "attention", "key", "embeddings"})
    return any(map(_WORD.fullmatch, words)) or relative


def holders(model: nn.Module) -> Iterator[Holder]:
    """All floating tensors that are kept under a name of positions, or by a module of one."""
    for path, module in model.named_modules():
        if _OTHER_TOWERS.search(path.lower()):
            continue
        last = path.rpartition(".")[2]
        whole = _names_positions(last) or _names_positions(type(module).__name__)
        leaf = not any(True for _ in module.children())
        for name, value in _tensors_of(module):
            named = _names_positions(name) or (whole and leaf)
            if named and (value.is_floating_point() or value.is_complex()) and value.numel() > 1:
                yield Holder(f"{path}.{name}".lstrip("."), module, path, value)


def _tensors_of(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    yield from module.named_parameters(recurse=False)
    yield from module.named_buffers(recurse=False)
    yield from ((name, value) for name, value in vars(module).items() if isinstance(value, Tensor))


def computing(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Modules of positions that keep no tensors: they compute them in each call."""
    for path, module in model.named_modules():
        named = _names_positions(path.rpartition(".")[2]) or _names_positions(type(module).__name__)
        empty = not any(True for _ in (*_tensors_of(module), *module.children()))
        idle = isinstance(module, nn.Identity | nn.Dropout) or _OTHER_TOWERS.search(path.lower())
        if named and path and empty and not idle:
            yield path, module


@torch.no_grad()
def disturb(model: nn.Module, seed: int, length: int) -> tuple[str, ...]:
    """Exchange all that holds positions in `model` for noise; the names of what was exchanged.

    What stands for position 0 alone stays: a table of which one row is read tells no positions.
    """
    generator = torch.Generator().manual_seed(seed)
    names = []
    for holder in list(holders(model)):
        names.append(holder.name)
        value = holder.value
        noise = torch.randn(value.shape, generator=generator).to(value.device)
        rows = next((dim for dim, size in enumerate(value.shape) if size >= length), None)
        if rows is not None and value.dim() > 1:
            noise.select(rows, 0).zero_()
        value.copy_(value + noise.to(value.dtype))
    for path, module in computing(model):
        names.append(path)
        module.register_forward_hook(_noisy(seed))
    return tuple(names)


def _noisy(seed: int) -> Callable[[nn.Module, Any, Any], Any]:
    def noisy(module: nn.Module, args: Any, output: Any) -> Any:
        generator = torch.Generator().manual_seed(seed)
        if isinstance(output, Tensor) and output.is_floating_point():
            return output + torch.randn(output.shape, generator=generator).to(output)
        if isinstance(output, tuple):
            return tuple(noisy(module, args, each) for each in output)
        return output

    return noisy


def mixing_parts(model: nn.Module) -> tuple[str, ...]:
    """The kinds of modules that mix positions, by their names."""
    kinds = (type(module).__name__ for module in model.modules())
    mixing = {kind for kind in kinds if _MIXING.search(kind) and not _ALONE.search(kind)}
    return tuple(sorted(mixing))


def orders_itself(model: nn.Module) -> bool:
    """Whether recurrence or convolution may tell the order of the text."""
    return any(
        isinstance(module, nn.RNNBase | nn.RNNCellBase | nn.Conv1d | nn.Conv2d)
        or _ORDERED.search(type(module).__name__.lower())
        or _convolves(module)
        for path, module in model.named_modules()
        if not _OTHER_TOWERS.search(path.lower())
    )


def _convolves(module: nn.Module) -> bool:
    """Whether a module named so has a kernel: some linear layers are called Conv1D."""
    named = "conv" in type(module).__name__.lower()
    return named and any(weight.dim() > 2 for weight in module.parameters())
