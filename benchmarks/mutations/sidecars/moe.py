"""How the mixture of experts in a module list is built and used."""

from types import ModuleType

import torch
from torch import Tensor, nn

from benchmarks.mutations.host import Experts, Host, Model, own_source


def build(module: ModuleType, layers: int) -> nn.Module:
    """A small instance; without the auxiliary loss, so that the loss is the language model's."""
    model: nn.Module = module.MoETransformerLM(
        vocab_size=61,
        d_model=32,
        n_heads=4,
        n_layers=layers,
        d_ff=48,
        num_experts=5,
        top_k=2,
        max_len=24,
        aux_weight=0.0,
    )
    return model


def experts(model: Model) -> list[nn.Module]:
    """The experts of the first layer."""
    found = model.layers[0].moe.experts
    return list(found.values() if isinstance(found, dict) else found)


def parameters(model: Model, expert: int) -> list[Tensor]:
    """The weights of one expert of the first layer."""
    return list(experts(model)[expert].parameters())


HOST = Host(
    name="moe",
    model="MoETransformerLM",
    source=own_source("moe"),
    file="moe_lm.py",
    build=build,
    logits=lambda model, ids: model(ids),
    blocks=lambda model: list(model.layers),
    loss=lambda model, ids, labels: model(ids, labels)[1],
    ignored_label=-100,
    empty=lambda model: model(torch.zeros(2, 0, dtype=torch.long)),
    experts=Experts(count=5, chosen=2, parameters=parameters, modules=experts),
)
