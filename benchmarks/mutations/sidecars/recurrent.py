"""How the recurrent host is built and used."""

from types import ModuleType

from torch import Tensor, nn

from benchmarks.mutations.host import Host, Model, own_source


def build(module: ModuleType, layers: int) -> nn.Module:
    """A small instance."""
    model: nn.Module = module.RetLM(num_tokens=61, d_model=32, n_heads=4, depth=layers)
    return model


def blocks(model: Model) -> list[nn.Module]:
    """Memories and mixes, layer by layer."""
    pairs = zip(model.memories, model.mixes, strict=True)
    return [nn.ModuleList(pair) for pair in pairs]


def generate(
    model: Model,
    prompt: Tensor,
    count: int,
    *,
    temperature: float = 1.0,
    eos: int | None = None,
) -> Tensor:
    """The host's own sampling."""
    out: Tensor = model.sample(prompt, count, temperature, eos)
    return out


HOST = Host(
    name="recurrent",
    model="RetLM",
    source=own_source("recurrent"),
    file="retlm.py",
    build=build,
    logits=lambda model, ids: model(ids),
    blocks=blocks,
    loss=lambda model, ids, labels: model(ids, labels)[0],
    shift=0,
    ignored_label=-100,
    longest=None,
    generate=generate,
    options=frozenset({"temperature", "eos"}),
)
