"""How the nanoGPT-like host is built and used."""

from types import ModuleType

import torch
from torch import nn

from benchmarks.mutations.host import Host, own_source


def build(module: ModuleType, layers: int) -> nn.Module:
    """A small instance."""
    config = module.GPTConfig(
        block_size=24, vocab_size=61, n_layer=layers, n_head=4, n_embd=32, dropout=0.1
    )
    model: nn.Module = module.GPT(config)
    return model


HOST = Host(
    name="nano",
    model="GPT",
    source=own_source("nano"),
    file="model.py",
    build=build,
    logits=lambda model, ids: model(ids)[0],
    blocks=lambda model: list(model.transformer.h),
    loss=lambda model, ids, labels: model(ids, labels)[1],
    shift=0,
    ignored_label=-1,
    generate=lambda model, prompt, count, **options: model.generate(prompt, count, **options),
    options=frozenset({"temperature", "top_k"}),
    empty=lambda model: model(torch.zeros(2, 0, dtype=torch.long)),
)
