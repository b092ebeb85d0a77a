"""How the transformer of the package attn-res is built and used, with its default residuals."""

from types import ModuleType

from torch import nn

from benchmarks.mutations.host import Host, Model
from benchmarks.mutations.packaged import wheel


def build(module: ModuleType, layers: int) -> nn.Module:
    """A small instance; attention and feed-forward are a layer each, here always two in a block."""
    config = module.TransformerConfig(
        d_model=32,
        n_layers=2 * layers,
        n_heads=4,
        n_kv_heads=2,
        vocab_size=61,
        max_seq_len=24,
        dropout=0.1,
        n_blocks=layers,
    )
    model: nn.Module = module.AttnResTransformer(config)
    return model


def blocks(model: Model) -> list[nn.Module]:
    """Attentions and feed-forwards, pair by pair."""
    pairs = zip(model.layers[::2], model.layers[1::2], strict=True)
    return [nn.ModuleList(pair) for pair in pairs]


HOST = Host(
    name="attn_res",
    model="AttnResTransformer",
    source=wheel("attn-res==0.1.0", "attn_res/main.py"),
    file="attention_residuals.py",
    build=build,
    logits=lambda model, ids: model(ids),
    blocks=blocks,
    loss=lambda model, ids, labels: model(ids, labels)[1],
    shift=0,
    ignored_label=-100,
)
