"""How the functional host with stacked weights is built and used."""

from types import ModuleType

from torch import Tensor, nn

from benchmarks.mutations.host import Experts, Host, Model, own_source


def build(module: ModuleType, layers: int) -> nn.Module:
    """A small instance."""
    model: nn.Module = module.StackedGPT(
        num_tokens=61, dim=32, depth=layers, heads=4, experts=5, topk=2
    )
    return model


def blocks(model: Model) -> list[nn.Module]:
    """One for all layers, which are slices of these tensors."""
    names = ("wq", "wk", "wv", "wo", "w_in", "w_out")
    return [nn.ParameterList([getattr(model, name) for name in names])]


def parameters(model: Model, expert: int) -> list[Tensor]:
    """The slices of one expert of the first layer."""
    return [model.w_in[0, expert], model.w_out[0, expert]]


HOST = Host(
    name="stacked",
    model="StackedGPT",
    source=own_source("stacked"),
    file="stacked_gpt.py",
    build=build,
    logits=lambda model, ids: model(ids),
    blocks=blocks,
    loss=lambda model, ids, labels: model(ids, return_loss=True),
    labels_are_ids=True,
    longest=None,
    generate=lambda model, prompt, count, **options: model.generate(prompt, count, **options),
    options=frozenset({"temperature", "top_k"}),
    experts=Experts(count=5, chosen=2, parameters=parameters),
)
