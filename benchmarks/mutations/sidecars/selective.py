"""How the selective linear attention, whose loss is in a training step, is built and used."""

from types import ModuleType

import torch
from torch import nn

from benchmarks.mutations.host import Host, own_source


def build(module: ModuleType, layers: int) -> nn.Module:
    """A small instance."""
    model: nn.Module = module.SelectiveLM(vocab=61, d=32, depth=layers, h=4, n=6, dropout=0.1)
    return model


HOST = Host(
    name="selective",
    model="SelectiveLM",
    source=own_source("selective"),
    file="selective_lm.py",
    build=build,
    logits=lambda model, ids: model(ids),
    blocks=lambda model: list(model.blocks),
    loss=lambda model, ids, labels: model.training_step((ids, labels)),
    shift=0,
    ignored_label=-1,
    longest=None,
    generate=lambda model, prompt, count, **options: model.sample(prompt, count, **options),
    options=frozenset({"temperature", "top_k"}),
    empty=lambda model: model(torch.zeros(2, 0, dtype=torch.long)),
)
