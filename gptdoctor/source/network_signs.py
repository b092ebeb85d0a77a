"""Signs that a class is a module of layers, where its bases are out of sight."""

from __future__ import annotations

import builtins
import sys

from gptdoctor.source.classes import MODULE_BASES, ClassInfo

# Endings of the names of whole models that libraries offer as bases.
NETWORK_ENDINGS = ("PreTrainedModel", "ForCausalLM", "LMHeadModel", "LightningModule")


def is_network_base(name: str) -> bool:
    """Whether a base, by its last name, is a module of layers or a whole model."""
    last = name.rpartition(".")[2]
    return last in MODULE_BASES or last.endswith(NETWORK_ENDINGS)


def is_layers(base: str) -> bool:
    """Whether a base that is no class of the project makes a module of layers."""
    return base.startswith("torch.nn.") or is_network_base(base)


def is_pythons(name: str) -> bool:
    """Whether a base is one of Python's own classes."""
    return hasattr(builtins, name) or name.partition(".")[0] in sys.stdlib_module_names


def acts_as_network(info: ClassInfo) -> bool:
    """Whether a class whose base is out of sight is written as a module of layers is."""
    return "forward" in info.methods and any(
        called.startswith("torch.nn.") and called.rpartition(".")[2][:1].isupper()
        for name in info.attributes
        for called in info.attribute_called(name)
    )
