"""How the host with the interface of training libraries is built and used."""

from types import ModuleType

from torch import nn

from benchmarks.mutations.host import Host, own_source


def build(module: ModuleType, layers: int) -> nn.Module:
    """A small instance."""
    config = module.PadLMConfig(vocab_size=61, n_positions=24, n_embd=32, n_layer=layers, n_head=4)
    model: nn.Module = module.PadLMForCausalLM(config)
    return model


HOST = Host(
    name="hf_style",
    model="PadLMForCausalLM",
    source=own_source("hf_style"),
    file="modeling_padlm.py",
    build=build,
    logits=lambda model, ids: model(ids).logits,
    blocks=lambda model: list(model.h),
    loss=lambda model, ids, labels: model(ids, labels=labels).loss,
    ignored_label=-100,
    padded=lambda model, ids, mask: model(ids, attention_mask=mask).logits,
    empty=lambda model: model(),
)
