"""Weights that hold those of several layers, one after the other, and the part of one layer."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

# Address and form: what a parameter, or a view of it that is made anew in each pass, is known by.
Key = tuple[int, tuple[int, ...]]


def key_of(tensor: Tensor) -> Key | None:
    """By what a tensor of weights is known again; None: it holds nothing, or has no address."""
    try:
        return (tensor.data_ptr(), tuple(tensor.shape)) if tensor.numel() else None
    except RuntimeError:  # sparse and wrapped tensors have none
        return None


@dataclass(frozen=True, kw_only=True, eq=False)
class LayerWeight:
    """The part of a parameter [L, ...] that is one layer's, with what a parameter tells."""

    parameter: nn.Parameter
    layer: int

    @property
    def data(self) -> Tensor:
        """The numbers, a view."""
        return self.parameter.data[self.layer]

    @property
    def grad(self) -> Tensor | None:
        """Their gradient; None: the parameter has none."""
        whole = self.parameter.grad
        return None if whole is None else whole[self.layer]

    @property
    def requires_grad(self) -> bool:
        """Whether it is trained."""
        return self.parameter.requires_grad


Weight = nn.Parameter | LayerWeight


def parameter_of(weight: Weight) -> nn.Parameter:
    """The parameter that a weight is, or is a part of."""
    return weight.parameter if isinstance(weight, LayerWeight) else weight
