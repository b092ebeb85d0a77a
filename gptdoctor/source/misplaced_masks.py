"""What is wrong with the border of a causal mask, by the pairs that it hides."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import replace

from gptdoctor.core.findings import Suspicion
from gptdoctor.source.flow_functions import Function
from gptdoctor.source.flow_targets import text_of
from gptdoctor.source.mask_forms import Kind, Region
from gptdoctor.source.mask_uses import Use


def fault_of(hidden: Region | None) -> str | None:
    """What is wrong with hiding these pairs: "past", "itself" or "ahead"; None: nothing.

    Sliding windows hide a lower triangle that lies further down, and prefixes, sinks and learned
    keys make tables that are not square: both are as they are meant.
    """
    if hidden is None:
        return None
    if hidden.lower:
        return "past" if hidden.offset in (-1, 0) else None
    if not hidden.square:
        return None
    if hidden.offset == 0:
        return "itself"
    return "ahead" if hidden.offset > 1 else None


def takes_opposite(use: Use) -> bool:
    """Whether a mask would be right if True meant the opposite to the attention that takes it.

    One that hides the past alone, so that a position sees itself, is turned round: its opposite
    would show no position to itself.
    """
    boolean = use.how in ("sdpa", "layer") and use.mask.kind is Kind.BOOL
    return boolean and use.hidden is not None and use.hidden.offset == 0


def border_suspicion(rule: str, use: Use, message: str) -> Suspicion:
    """The suspicion at the call that draws the border of a mask."""
    border, drawn = use.mask.border, use.mask.drawn_in
    if border is None or drawn is None or drawn.module is not use.function.module:
        return use_suspicion(rule, use, message)
    around = [use.node] if drawn == use.function else []
    return suspicion(rule, border, drawn, message, around)


def use_suspicion(rule: str, use: Use, message: str) -> Suspicion:
    """The suspicion at the place where a mask meets the scores."""
    border, drawn = use.mask.border, use.mask.drawn_in
    if border is None or drawn is None or drawn.module is not use.function.module:
        return suspicion(rule, use.node, use.function, message)
    if drawn == use.function:
        return suspicion(rule, use.node, use.function, message, [border])
    elsewhere = frozenset({border.lineno})  # in a helper, where a run sees the mask made
    return replace(suspicion(rule, use.node, use.function, message), also_at=elsewhere)


def suspicion(
    rule: str, node: ast.AST, function: Function, message: str, around: Sequence[ast.AST] = ()
) -> Suspicion:
    """A suspicion at a node; its extent takes in what is around."""
    location = function.module.location(node)
    places = [location, *(function.module.location(one) for one in around)]
    return Suspicion(
        rule=rule,
        location=location,
        symbol=function.symbol,
        message=message,
        details={"code": text_of(node)},
        extent=(min(one.line for one in places), max(one.end_line for one in places)),
    )
