"""How the vision-language host is built and used, here with text alone."""

from types import ModuleType

from torch import nn

from benchmarks.mutations.host import Host, own_source


def build(module: ModuleType, layers: int) -> nn.Module:
    """A small instance."""
    config = module.VisionLanguageConfig(
        vocab_size=61, width=32, depth=layers, heads=4, max_text=24, image_size=8, patch_size=4
    )
    model: nn.Module = module.VisionLanguageModel(config)
    return model


HOST = Host(
    name="multimodal",
    model="VisionLanguageModel",
    source=own_source("multimodal"),
    file="vlm.py",
    build=build,
    logits=lambda model, ids: model(input_ids=ids)["logits"],
    blocks=lambda model: list(model.blocks),
    loss=lambda model, ids, labels: model(input_ids=ids, labels=labels)["loss"],
    ignored_label=-100,
    empty=lambda model: model(),
)
