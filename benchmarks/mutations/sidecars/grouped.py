"""How the decoder with grouped queries and a pre-allocated cache is built and used."""

import itertools
import sys
from types import ModuleType

import torch
from torch import Tensor, nn

from benchmarks.mutations.host import Host, Model, own_source


def build(module: ModuleType, layers: int) -> nn.Module:
    """A small instance with two query heads for each key."""
    spec = module.DecoderSpec(
        n_tokens=61,
        width=32,
        depth=layers,
        q_heads=4,
        kv_heads=2,
        max_positions=24,
        hidden_factor=1.5,
        dropout=0.1,
    )
    model: nn.Module = module.Decoder(spec)
    return model


def cached(model: Model, ids: Tensor) -> Tensor:
    """Logits with the first four tokens at once, the next three at once, then one by one."""
    module = sys.modules[type(model).__module__]
    cache = module.KVCache(model.spec, ids.shape[0], model.embedding.weight)
    bounds = itertools.pairwise([0, 4, 7, *range(8, ids.shape[1] + 1)])
    return torch.cat([model(ids[:, start:end], cache) for start, end in bounds], dim=1)


def generate(
    model: Model, prompt: Tensor, count: int, *, eos: int | None = None, **options: float
) -> Tensor:
    """The host's own sampling."""
    out: Tensor = model.generate(prompt, count, end=eos, **options)
    return out


HOST = Host(
    name="grouped",
    model="Decoder",
    source=own_source("grouped"),
    file="grouped_decoder.py",
    build=build,
    logits=lambda model, ids: model(ids),
    blocks=lambda model: list(model.stack),
    loss=lambda model, ids, labels: model.loss(ids, labels),
    ignored_label=-100,
    generate=generate,
    options=frozenset({"temperature", "top_k", "top_p", "eos"}),
    cached=cached,
    empty=lambda model: model(torch.zeros(2, 0, dtype=torch.long)),
)
