"""How BLOOM of transformers is built and used."""

from types import ModuleType

import torch
from torch import Tensor, nn

from benchmarks.mutations.host import Host, Model
from benchmarks.mutations.packaged import installed


def build(module: ModuleType, layers: int) -> nn.Module:
    """A small instance."""
    config = module.BloomConfig(vocab_size=61, hidden_size=32, n_layer=layers, n_head=4)
    model: nn.Module = module.BloomForCausalLM(config)
    return model


def cached(model: Model, ids: Tensor) -> Tensor:
    """Logits with the first four tokens at once, and then one by one."""
    out = model(ids[:, :4], use_cache=True)
    parts = [out.logits]
    for at in range(4, ids.shape[1]):
        past, seen = out.past_key_values, torch.ones_like(ids[:, : at + 1])
        step = ids[:, at : at + 1]
        out = model(step, past_key_values=past, attention_mask=seen, use_cache=True)
        parts.append(out.logits)
    return torch.cat(parts, dim=1)


HOST = Host(
    name="bloom",
    model="BloomForCausalLM",
    source=installed("transformers", "models/bloom/modeling_bloom.py"),
    file="modeling_bloom.py",
    build=build,
    logits=lambda model, ids: model(ids).logits,
    blocks=lambda model: list(model.transformer.h),
    loss=lambda model, ids, labels: model(ids, labels=labels).loss,
    ignored_label=-100,
    longest=None,
    padded=lambda model, ids, mask: model(ids, attention_mask=mask).logits,
    cached=cached,
    empty=lambda model: model(),
)
