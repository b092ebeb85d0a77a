"""How GPT-2 of transformers is built and used, with its default attention."""

from types import ModuleType

import torch
from torch import Tensor, nn

from benchmarks.mutations.host import Host, Model
from benchmarks.mutations.packaged import installed


def build(module: ModuleType, layers: int) -> nn.Module:
    """A small instance."""
    config = module.GPT2Config(vocab_size=61, n_positions=24, n_embd=32, n_layer=layers, n_head=4)
    model: nn.Module = module.GPT2LMHeadModel(config)
    return model


def cached(model: Model, ids: Tensor) -> Tensor:
    """Logits with the first four tokens at once, and then one by one."""
    out = model(ids[:, :4], use_cache=True)
    parts = [out.logits]
    for at in range(4, ids.shape[1]):
        out = model(ids[:, at : at + 1], past_key_values=out.past_key_values, use_cache=True)
        parts.append(out.logits)
    return torch.cat(parts, dim=1)


HOST = Host(
    name="gpt2",
    model="GPT2LMHeadModel",
    source=installed("transformers", "models/gpt2/modeling_gpt2.py"),
    file="modeling_gpt2.py",
    build=build,
    logits=lambda model, ids: model(ids).logits,
    blocks=lambda model: list(model.transformer.h),
    loss=lambda model, ids, labels: model(ids, labels=labels).loss,
    ignored_label=-100,
    padded=lambda model, ids, mask: model(ids, attention_mask=mask).logits,
    cached=cached,
    empty=lambda model: model(),
)
