"""How the decoder of the package transformers-from-scratch is built and used."""

from types import ModuleType

from torch import Tensor, nn

from benchmarks.mutations.host import Host, Model
from benchmarks.mutations.packaged import wheel


def build(module: ModuleType, layers: int) -> nn.Module:
    """A small instance."""
    model: nn.Module = module.DecoderOnlyTransformer(61, 24, 32, 48, 4, layers)
    return model


def padded(model: Model, ids: Tensor, mask: Tensor) -> Tensor:
    """Its mask is True where there is padding, [B, 1, T]."""
    out: Tensor = model(ids, (mask == 0)[:, None, :])
    return out


HOST = Host(
    name="from_scratch",
    model="DecoderOnlyTransformer",
    source=wheel("transformers-from-scratch==0.1.2", "transformer_variants/model.py"),
    file="decoder_variants.py",
    build=build,
    logits=lambda model, ids: model(ids),
    blocks=lambda model: list(model.attn_blocks),
    padded=padded,
)
