"""How the host with a key/value cache is built and used."""

import itertools
from types import ModuleType

import torch
from torch import Tensor, nn

from benchmarks.mutations.host import Host, Model, own_source


def build(module: ModuleType, layers: int) -> nn.Module:
    """A small instance."""
    args = module.ModelArgs(vocab_size=61, dim=32, n_layers=layers, n_heads=4, max_seq_len=24)
    model: nn.Module = module.CachedDecoder(args)
    return model


def cached(model: Model, ids: Tensor) -> Tensor:
    """Logits with the first four tokens at once, the next three at once, then one by one."""
    past, parts = None, []
    bounds = [0, 4, 7, *range(8, ids.shape[1] + 1)]
    for start, end in itertools.pairwise(bounds):
        out, past = model(ids[:, start:end], past)
        parts.append(out)
    return torch.cat(parts, dim=1)


def generate(
    model: Model, prompt: Tensor, count: int, *, eos: int | None = None, **options: float
) -> Tensor:
    """The host's own sampling."""
    out: Tensor = model.generate(prompt, count, eos_id=eos, **options)
    return out


HOST = Host(
    name="cached",
    model="CachedDecoder",
    source=own_source("cached"),
    file="decoder.py",
    build=build,
    logits=lambda model, ids: model(ids)[0],
    blocks=lambda model: list(model.layers),
    loss=lambda model, ids, labels: model.compute_loss(ids, labels),
    ignored_label=-100,
    generate=generate,
    options=frozenset({"temperature", "top_k", "top_p", "eos"}),
    cached=cached,
    empty=lambda model: model(torch.zeros(2, 0, dtype=torch.long)),
)
