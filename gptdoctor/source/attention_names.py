"""By which names a module calls a softmax or torch's attention, beside those that torch gives them.

A softmax may be a layer under a name of its own, `self.normalise = nn.Softmax(dim=-1)`; a function
may be imported under another one, `scaled_dot_product_attention as sdpa`.
"""

from __future__ import annotations

import ast
import re

from gptdoctor.source.flow_operations import SOFTMAXES
from gptdoctor.source.kept import kept
from gptdoctor.source.module import SourceModule
from gptdoctor.source.names import Names
from gptdoctor.source.project import Project
from gptdoctor.source.renamed import names_of_renamed

ATTENTION = "scaled_dot_product_attention"
SOFTMAX = frozenset({"softmax", "attend"})  # a layer is most often called so
_INLINE = re.compile(r"Softmax\([^()\n]*\)\(")
_LAYER = re.compile(r"self\.(\w+)\s*(?::[^=\n]+)?=\s*(?:\w+\.)*(?:Log)?Softmax\(")


def softmax_names(project: Project, module: SourceModule) -> frozenset[str]:
    """What a softmax is called in a module that gives it a name of its own."""
    del project
    found: set[str] = set()
    if may_make_softmax(module):
        found |= set(_LAYER.findall(module.text))
        if _INLINE.search(module.text):
            found.add("")  # a call of what another call made has no name
    return (names_of_renamed(module, "softmax") | found) - SOFTMAX


@kept(4)
def may_make_softmax(module: SourceModule) -> bool:
    """Whether a module may make a layer of softmax."""
    return "Softmax(" in module.text


def attention_names(project: Project, module: SourceModule) -> frozenset[str]:
    """What torch's attention is called in a module that knows it by another name."""
    del project
    return names_of_renamed(module, ATTENTION)


def is_softmax(call: ast.Call, names: Names) -> bool:
    """Whether a call is of a softmax that was imported under another name."""
    qualified = (names.called(call) or "") if isinstance(call.func, ast.Name) else ""
    return qualified.startswith("torch.") and qualified.rpartition(".")[2] in SOFTMAXES
