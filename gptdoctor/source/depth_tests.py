"""Statements of tests that the rules about the gradient from block to block share."""

from __future__ import annotations

from collections.abc import Mapping

from gptdoctor.core.findings import Value
from gptdoctor.source.laid_out import laid_out

# The functions that these statements measure with, as `Proof.measures` names them.
DEPTH_MEASURES = (
    "probes.expert_routing:random_objective",
    "probes.instruments.stacks:BlockWatch",
    "probes.instruments.stacks:block_lists",
    "probes.instruments.stacks:gradient_norms",
    "probes.instruments.stacks:lengthened",
)


def deep_streams(values: Mapping[str, Value]) -> str:
    """Statements that make `streams`, what each block is given, and `found`, the logits.

    The model is built deep, or is given copies of its blocks.
    """
    build = values.get("build")
    made = "model = lengthened(build(), 6, chains=True)\n"
    if build:
        made = f"torch.manual_seed(0)\n{laid_out(f'model = {build}')}\n"
    return (
        f"{made}"
        "watch = BlockWatch(tuple(block_lists(model)))\n"
        "with watch:\n"
        "    found = logits(model, random_ids())\n"
        f"blocks = next(each for each in watch.lists if each.name == {values.get('stack')!r})\n"
        "streams = [blocks.given[index][0] for index in blocks.called]\n"
    )


def gradient_factor(values: Mapping[str, Value]) -> str:
    """Statements that make `factor`, what each block multiplies the gradient by."""
    return (
        f"{deep_streams(values)}"
        "norms = gradient_norms(random_objective(found), streams)\n"
        "factor = (norms[1] / norms[-1]) ** (1 / (len(norms) - 2))\n"
    )
