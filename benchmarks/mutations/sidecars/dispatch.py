"""How the experts that gather by index_add_, beside attention, are built and used."""

from types import ModuleType

import torch
from torch import Tensor, nn

from benchmarks.mutations.host import Experts, Host, Model, own_source


def build(module: ModuleType, layers: int) -> nn.Module:
    """A small instance; without the balance loss, so that the loss is the language model's."""
    model: nn.Module = module.SparseDispatchLM(
        vocab_size=61,
        hidden_size=32,
        num_layers=layers,
        num_heads=4,
        num_experts=5,
        expert_size=24,
        max_length=24,
        balance=0.0,
    )
    return model


def generate(
    model: Model, prompt: Tensor, count: int, *, temperature: float = 1.0, eos: int | None = None
) -> Tensor:
    """The host's own sampling."""
    out: Tensor = model.generate(prompt, count, temperature=temperature, eos_token_id=eos)
    return out


def parameters(model: Model, expert: int) -> list[Tensor]:
    """The slices of one expert of the first layer."""
    experts = model.layers[0].routed.experts
    return [experts.w_in[expert], experts.w_out[expert]]


HOST = Host(
    name="dispatch",
    model="SparseDispatchLM",
    source=own_source("dispatch"),
    file="dispatch_lm.py",
    build=build,
    logits=lambda model, ids: model(ids)["logits"],
    blocks=lambda model: list(model.layers),
    loss=lambda model, ids, labels: model(ids, labels=labels)["loss"],
    ignored_label=-100,
    generate=generate,
    options=frozenset({"temperature", "eos"}),
    padded=lambda model, ids, mask: model(ids, attention_mask=mask)["logits"],
    empty=lambda model: model(torch.zeros(2, 0, dtype=torch.long)),
    experts=Experts(count=5, chosen=2, parameters=parameters),
)
