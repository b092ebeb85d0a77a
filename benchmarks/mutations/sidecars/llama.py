"""How the LLaMA-like host is built and used."""

from types import ModuleType

from torch import Tensor, nn

from benchmarks.mutations.host import Host, Model, own_source


def build(module: ModuleType, layers: int) -> nn.Module:
    """A small instance with two query heads for each key."""
    config = module.LlamaConfig(
        vocab_size=61,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=24,
    )
    model: nn.Module = module.LlamaForCausalLM(config)
    return model


def generate(
    model: Model,
    prompt: Tensor,
    count: int,
    *,
    temperature: float = 1.0,
    top_p: float = 1.0,
    eos: int | None = None,
) -> Tensor:
    """The host's own sampling."""
    out: Tensor = model.generate(prompt, count, temperature, top_p, eos)
    return out


HOST = Host(
    name="llama",
    model="LlamaForCausalLM",
    source=own_source("llama"),
    file="llama.py",
    build=build,
    logits=lambda model, ids: model(ids)["logits"],
    blocks=lambda model: list(model.layers),
    loss=lambda model, ids, labels: model(ids, labels=labels)["loss"],
    ignored_label=-100,
    generate=generate,
    options=frozenset({"temperature", "top_p", "eos"}),
)
