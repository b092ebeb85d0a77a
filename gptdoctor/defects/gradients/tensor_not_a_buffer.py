"""GD115: a table that forward works with is a plain tensor, and stays where it was made."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from gptdoctor.core.findings import Confidence, Severity, Suspicion
from gptdoctor.defect import Defect, Named, Visit
from gptdoctor.source.constructors import constructor_at
from gptdoctor.source.plain_tensors import makes_tensors, plain_tensors
from gptdoctor.source.tensor_meetings import Meetings

CODE = "GD115"
# Zeros and ones are such tables as well where their name is that of a mask.
MASK = ("mask", "causal", "tril", "triu", "bias_k", "window")


def see_constructor(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """A mask or a table that the constructor computes, and forward joins with the data."""
    if not makes_tensors(node, visit.module):
        return
    constructor = constructor_at(node, visit.project, visit.owner, visit.parent)
    if constructor is None:
        return
    plain, told = plain_tensors(constructor), set[ast.AST]()
    for setting, kind in plain.found({"computed", "flat"}):
        if setting.node in told:
            continue  # self.cos, self.sin = tables(width)
        if kind == "flat" and not any(word in setting.name.lower() for word in MASK):
            continue
        if not constructor.of_network:
            return
        if not Meetings(constructor, setting.name).met_unmoved():
            continue
        told.add(setting.node)
        location = visit.module.location(setting.node)
        yield Suspicion(
            rule=CODE,
            location=location,
            symbol=f"{constructor.info.symbol}.__init__",
            message=(
                f"self.{setting.name} is a plain tensor: it stays on the CPU when the model is "
                f"moved, and forward fails there; use register_buffer."
            ),
            details={"attribute": setting.name},
            extent=(location.line, location.end_line),
        )


SICK = """\
import torch
from torch import nn


class Wave(nn.Module):
    def __init__(self, width, longest=64):
        super().__init__()
        steps = torch.arange(longest)[:, None]
        self.waves = torch.sin(steps / 100 ** (torch.arange(width) / width))
        self.mix = nn.Linear(width, width)

    def forward(self, x):
        return self.mix(x + self.waves[: x.size(1)])
"""

DEFECT = Defect(
    code=CODE,
    name="tensor-not-a-buffer",
    severity=Severity.MEDIUM,
    confidence=Confidence.MEDIUM,
    summary="A table or a mask that forward works with is a plain tensor, and no buffer.",
    explanation=(
        "`__init__` computes a tensor from numbers, such as a mask or a table of positions, and "
        "keeps it as a plain attribute; forward joins it with tensors of the data, where it lies. "
        "What is registered, made with a device, moved in forward by `.to()` or the like, used as "
        "an index or as numbers, and single numbers, which go with any device, are not meant."
    ),
    harm=(
        "`model.to(device)` moves parameters and buffers alone: on a GPU the two tensors lie on "
        "different devices, and torch raises; `half()` does not cast it, and it is not saved."
    ),
    confirmed_by=(
        "No probe measures it, for specimens run on the CPU; with `--devices` a model that is "
        "moved fails at this line where there is an accelerator."
    ),
    sick=SICK,
    healed=SICK.replace(
        "self.waves = torch.sin(steps / 100 ** (torch.arange(width) / width))",
        "waves = torch.sin(steps / 100 ** (torch.arange(width) / width))\n"
        '        self.register_buffer("waves", waves)',
    ),
    suspects={Named(ast.FunctionDef, ("__init__",)): see_constructor},
)
