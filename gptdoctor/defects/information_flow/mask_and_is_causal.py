"""GD816: torch's attention is given a mask, and told to be causal as well."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from gptdoctor.core.findings import Severity, Suspicion
from gptdoctor.defect import Defect, NamedIn, Visit, calls
from gptdoctor.source.attention_names import ATTENTION, attention_names
from gptdoctor.source.callees import callee_of
from gptdoctor.source.classes import self_attribute
from gptdoctor.source.flow_functions import Function
from gptdoctor.source.flow_targets import Role, text_of
from gptdoctor.source.mask_uses import SDPA, argument_of, sdpa_mask
from gptdoctor.source.misplaced_masks import suspicion
from gptdoctor.source.project import Project
from gptdoctor.source.spread_options import keywords_of
from gptdoctor.source.text_values import bound_to, kept_in

CODE = "GD816"


def see_attention(node: ast.AST, visit: Visit) -> Iterator[Suspicion]:
    """A call with both."""
    if not isinstance(node, ast.Call) or visit.flow is None:
        return
    if visit.module.names.called(node) != SDPA:
        return
    named = keywords_of(node, visit.flow) or {}
    causal = named.get("is_causal") or argument_of(node, "is_causal", 5)
    mask = named.get("attn_mask") or sdpa_mask(node)
    told = causal is not None and _is_true(causal, visit.project, visit.flow)
    if told and mask is not None and _is_there(mask, visit.project, visit.flow):
        yield suspicion(
            CODE,
            node,
            visit.flow,
            f"`attn_mask={text_of(mask)}` and `is_causal=True`: torch takes one of them, and "
            "raises an error where it is given both",
        )


def _is_true(value: ast.expr, project: Project, function: Function) -> bool:
    """Whether a value is True, written there or under a name or an attribute that is set once."""
    if isinstance(value, ast.Name):
        value = bound_to(value, function) or value
    elif (name := self_attribute(value)) is not None:
        kept = kept_in(project, function, name)
        value = value if kept is None else kept[0]
    return isinstance(value, ast.Constant) and value.value is True


def _is_there(mask: ast.expr, project: Project, function: Function) -> bool:
    """Whether a mask is made here, and so is never None."""
    if isinstance(mask, ast.Call) and (callee := callee_of(project, function, mask)) is not None:
        returned = callee.returned
        return bool(returned) and all(
            _makes(one) or (isinstance(one, ast.Name) and _is_named(one, callee))
            for one in returned
        )
    if (name := self_attribute(mask)) is not None:
        kept = kept_in(project, function, name)
        return kept is not None and _makes(kept[0])
    return _is_named(mask, function) if isinstance(mask, ast.Name) else _makes(mask)


def _is_named(mask: ast.Name, function: Function) -> bool:
    """Whether all that a name may stand for makes a tensor."""
    found = function.reaching(mask)
    return bool(found) and all(
        one.role is Role.CHANGED
        or (one.role is Role.WHOLE and one.value is not None and _makes(one.value))
        for one in found
    )


def _makes(value: ast.expr) -> bool:
    """Whether an expression makes a tensor: what an object or a dictionary holds may be None."""
    if isinstance(value, ast.Subscript):
        return isinstance(value.slice, ast.Tuple)
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
        root = value.func.value
        return not (isinstance(root, ast.Name) and root.id == "self") and value.func.attr != "get"
    return isinstance(value, ast.BinOp | ast.Compare | ast.UnaryOp)


SICK = """\
import torch
import torch.nn.functional as F
from torch import nn


class Reading(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.inward = nn.Linear(width, 3 * width)

    def forward(self, x, padding):
        parts = self.inward(x).unflatten(-1, (3, self.heads, -1))
        q, k, v = parts.permute(2, 0, 3, 1, 4)
        shown = padding[:, None, None, :]
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=shown, is_causal=True)
        return y.transpose(1, 2).flatten(2)
"""

DEFECT = Defect(
    code=CODE,
    name="mask-and-is-causal",
    severity=Severity.HIGH,
    summary="scaled_dot_product_attention is given a mask and is_causal=True.",
    explanation=(
        "The two exclude each other: `is_causal=True` makes a mask of its own. A mask that may be "
        "None where the call is made, as one that the caller gives, is not meant, nor is "
        "`is_causal=mask is None`."
    ),
    harm="The call raises an error wherever it is reached.",
    confirmed_by=(
        "No probe measures it under this code: a run of the call fails with torch's own message, "
        "and the model is reported as one that cannot be run."
    ),
    sick=SICK,
    healed=SICK.replace(
        "shown = padding[:, None, None, :]",
        "n = x.shape[1]\n"
        "        before = torch.ones(n, n, dtype=torch.bool, device=x.device).tril()\n"
        "        shown = padding[:, None, None, :] & before",
    ).replace(", is_causal=True", ""),
    suspects={
        calls(ATTENTION): see_attention,
        NamedIn(ast.Call, attention_names): see_attention,
    },
)
