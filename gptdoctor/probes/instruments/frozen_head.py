"""A layer that makes the logits and is kept from learning by its own constructor."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from gptdoctor.core.findings import Place
from gptdoctor.core.measurements.parameter_registration import FrozenHead
from gptdoctor.probes.instruments.attribute_text import commented_line, methods_of
from gptdoctor.specimen.places import project_path, symbol_of
from gptdoctor.specimen.specimen import Specimen

# Adapters, towers and fine-tuning freeze most of a model; here nearly all else is to learn.
MOST_FROZEN = 0.1


def frozen_head(specimen: Specimen) -> FrozenHead | None:
    """The head that asks for no gradient, with the statement that says so; None: there is none."""
    model = specimen.model
    frozen = [
        (name, module)
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and not module.weight.requires_grad
    ]
    if not frozen:
        return None
    width = _vocabulary(specimen)
    heads = [(name, module) for name, module in frozen if module.out_features == width]
    others = [p for p in model.parameters() if all(p is not h.weight for _, h in heads)]
    trained = sum(p.numel() for p in others if p.requires_grad)
    rest = sum(p.numel() for p in others) - trained
    if len(heads) != 1 or rest > MOST_FROZEN * (trained + rest):
        return None
    name, head = heads[0]
    names = sum(p is head.weight for _, p in model.named_parameters(remove_duplicate=False))
    own = not _is_shared(head.weight, others)
    place = _place(model, name, specimen.root, tied=names > 1) if own else None
    if place is None:
        return None
    return FrozenHead(
        name=f"{name}.weight",
        numbers=head.weight.numel(),
        trained=trained,
        path=place.path,
        symbol=place.symbol,
        line=place.line or 0,
        code=commented_line(f"{specimen.root}/{place.path}", place.line or 0),
    )


def _vocabulary(specimen: Specimen) -> int | None:
    """V of the logits [B, T, V]; None where there are none."""
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            specimen.reseed()
            logits = specimen.call(specimen.copy(), specimen.inputs()).logits
    except (Exception, SystemExit):
        return None
    return None if logits is None else logits.shape[-1]


def _is_shared(weight: Tensor, others: list[nn.Parameter]) -> bool:
    """Whether another parameter has the same memory, or the same numbers, and may learn."""
    return any(
        each.data_ptr() == weight.data_ptr()
        or (each.shape == weight.shape and torch.equal(each, weight))
        for each in others
    )


def _place(model: nn.Module, name: str, root: str, *, tied: bool) -> Place | None:
    """The statement of a constructor that freezes the head, whatever the settings are.

    Who freezes a weight after it was `tied` to the embedding knows that both will stay.  Who
    makes a frozen layer and ties the embedding to it later freezes that one in passing.
    """
    owner, _, attribute = name.rpartition(".")
    for function, node in methods_of(model.get_submodule(owner), root):
        if function.__name__ != "__init__" or not isinstance(node, ast.FunctionDef):
            continue
        path = project_path(function.__code__.co_filename, root) or ""
        for statement in _always(node.body):
            if _freezes(statement, attribute) and (not tied or _makes(statement, attribute)):
                symbol = symbol_of(function.__code__)
                return Place(path=path, symbol=symbol, line=statement.lineno)
    return None


def _always(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that run in any case; a condition asks somebody."""
    asking = ast.If | ast.Try | ast.While
    yield from (statement for statement in body if not isinstance(statement, asking))


def _freezes(statement: ast.stmt, attribute: str) -> bool:
    named = any(
        isinstance(each, ast.Attribute) and each.attr == attribute for each in ast.walk(statement)
    )
    text = ast.unparse(statement).replace(" ", "")
    return named and ("requires_grad_(False)" in text or "requires_grad=False" in text)


def _makes(statement: ast.stmt, attribute: str) -> bool:
    """Whether a statement makes the layer itself: `self.head = nn.Linear(C, V)`."""
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    return any(isinstance(each, ast.Attribute) and each.attr == attribute for each in targets)
