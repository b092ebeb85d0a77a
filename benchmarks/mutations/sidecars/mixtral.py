"""How Mixtral of transformers is built and used, with its default attention and experts."""

from types import ModuleType

import torch
from torch import Tensor, nn

from benchmarks.mutations.host import Experts, Host, Model
from benchmarks.mutations.packaged import installed


def build(module: ModuleType, layers: int) -> nn.Module:
    """A small instance."""
    config = module.MixtralConfig(
        vocab_size=61,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        num_local_experts=5,
        num_experts_per_tok=2,
        max_position_embeddings=24,
    )
    model: nn.Module = module.MixtralForCausalLM(config)
    return model


def parameters(model: Model, expert: int) -> list[Tensor]:
    """The slices of one expert of the first layer."""
    experts = model.model.layers[0].mlp.experts
    return [experts.gate_up_proj[expert], experts.down_proj[expert]]


def cached(model: Model, ids: Tensor) -> Tensor:
    """Logits with the first four tokens at once, and then one by one."""
    out = model(ids[:, :4], use_cache=True)
    parts = [out.logits]
    for at in range(4, ids.shape[1]):
        out = model(ids[:, at : at + 1], past_key_values=out.past_key_values, use_cache=True)
        parts.append(out.logits)
    return torch.cat(parts, dim=1)


HOST = Host(
    name="mixtral",
    model="MixtralForCausalLM",
    source=installed("transformers", "models/mixtral/modeling_mixtral.py"),
    file="modeling_mixtral.py",
    build=build,
    logits=lambda model, ids: model(ids).logits,
    blocks=lambda model: list(model.model.layers),
    loss=lambda model, ids, labels: model(ids, labels=labels).loss,
    ignored_label=-100,
    longest=None,
    padded=lambda model, ids, mask: model(ids, attention_mask=mask).logits,
    cached=cached,
    empty=lambda model: model(),
    experts=Experts(count=5, chosen=2, parameters=parameters),
)
