"""How the host with its sizes in module constants is built and used."""

from types import ModuleType

from torch import nn

from benchmarks.mutations.host import Host, own_source


def build(module: ModuleType, layers: int) -> nn.Module:
    """A small instance: its constants are made small first."""
    sizes = {"block_size": 24, "n_embd": 32, "n_head": 4, "n_layer": layers, "vocab_size": 61}
    for name, size in sizes.items():
        setattr(module, name, size)
    model: nn.Module = module.GPTLanguageModel()
    return model


HOST = Host(
    name="notebook",
    model="GPTLanguageModel",
    source=own_source("notebook"),
    file="gpt.py",
    build=build,
    logits=lambda model, ids: model(ids)[0],
    blocks=lambda model: list(model.blocks),
    loss=lambda model, ids, labels: model(ids, labels)[1],
    shift=0,
    ignored_label=-100,
    generate=lambda model, prompt, count: model.generate(prompt, count),
)
