"""How Qwen 3 of the package llms-from-scratch is built and used."""

from types import ModuleType

import torch
from torch import nn

from benchmarks.mutations.host import Host
from benchmarks.mutations.packaged import wheel


def build(module: ModuleType, layers: int) -> nn.Module:
    """A small instance with two query heads for each key."""
    config = {
        **module.QWEN_CONFIG_06_B,
        "vocab_size": 61,
        "context_length": 24,
        "emb_dim": 32,
        "n_heads": 4,
        "n_layers": layers,
        "hidden_dim": 48,
        "head_dim": 8,
        "n_kv_groups": 2,
        "dtype": torch.float32,
    }
    model: nn.Module = module.Qwen3Model(config)
    return model


HOST = Host(
    name="qwen3",
    model="Qwen3Model",
    source=wheel("llms-from-scratch==1.0.19", "llms_from_scratch/qwen3.py"),
    file="qwen3.py",
    build=build,
    logits=lambda model, ids: model(ids),
    blocks=lambda model: list(model.trf_blocks),
)
