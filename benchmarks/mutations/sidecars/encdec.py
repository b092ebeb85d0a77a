"""How the encoder-decoder is built and used: the source is fixed, the decoder is examined."""

from types import ModuleType

import torch
from torch import Tensor, nn

from benchmarks.mutations.host import Host, Model, ids_of, own_source


def build(module: ModuleType, layers: int) -> nn.Module:
    """A small instance."""
    model: nn.Module = module.Seq2SeqTransformer(
        61, 61, d_model=32, num_heads=4, num_layers=layers, d_ff=48, max_seq_length=24
    )
    return model


def logits(model: Model, ids: Tensor) -> Tensor:
    """Logits of the decoder for `ids`, with sources of 7 tokens that only the row decides."""
    out: Tensor = model(ids_of(HOST, ids.shape[0], 7, seed=5), ids)
    return out


def padded(model: Model, ids: Tensor, mask: Tensor) -> Tensor:
    """The same, with the source padded: the mask belongs to the source, which are the ids."""
    source = torch.where(mask.bool(), ids, torch.zeros_like(ids))
    out: Tensor = model(source, ids_of(HOST, ids.shape[0], 7, seed=6))
    return out


HOST = Host(
    name="encdec",
    model="Seq2SeqTransformer",
    source=own_source("encdec"),
    file="transformer.py",
    build=build,
    logits=logits,
    blocks=lambda model: list(model.decoder_layers),
    padded=padded,
)
