"""What a call is given by keyword, those included that it spreads from a dictionary made beside it.

`options = {"is_causal": True}`, `options["attn_mask"] = mask`, `attend(q, k, v, **options)`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from gptdoctor.source.classes import self_attribute
from gptdoctor.source.flow_functions import Function, loads_of, own_nodes
from gptdoctor.source.flow_targets import Role, end, start

Options = dict[str, ast.expr]
_BRANCHES = (ast.If, ast.For, ast.While, ast.Try, ast.Match)


def keywords_of(call: ast.Call, function: Function) -> Options | None:
    """The keywords of a call by name; None where some of them are out of sight."""
    found: Options = {}
    for one in call.keywords:
        if one.arg is not None:
            found[one.arg] = one.value
            continue
        spread = _dictionary(one.value, call, function)
        if spread is None:
            return None
        found.update(spread)
    return found


def _dictionary(value: ast.expr, call: ast.Call, function: Function) -> Options | None:
    """What is in a dictionary that is written down there, or under a name of the same function."""
    own, owner = self_attribute(value), function.owner
    if own is not None:
        kept = owner.attributes.get(own, []) if owner is not None else []
        changed = owner is not None and re.search(rf"self\.{own}(\[|\.)", owner.text)
        return _written(kept[0]) if len(kept) == 1 and not changed else None
    if not isinstance(value, ast.Name):
        return _written(value)
    made = [one for one in function.reaching(value) if one.role is not Role.CHANGED]
    if len(made) != 1 or made[0].role is not Role.WHOLE or made[0].value is None:
        return None
    found = _written(made[0].value)
    if found is None or not _is_plain(value.id, made[0].value, call, function):
        return None
    for change in _changes(value.id, function):
        if change is None:
            return None
        found.update(change)
    return found


def _written(value: ast.expr) -> Options | None:
    """The entries of `{"a": 1}` and of `dict(a=1)`."""
    if isinstance(value, ast.Dict):
        keys = [one.value if isinstance(one, ast.Constant) else None for one in value.keys]
        if not all(isinstance(one, str) for one in keys):
            return None
        return {str(key): one for key, one in zip(keys, value.values, strict=True)}
    if isinstance(value, ast.Call) and getattr(value.func, "id", "") == "dict":
        names = [one.arg for one in value.keywords]
        if value.args or None in names:
            return None
        return {str(one.arg): one.value for one in value.keywords}
    return None


def _is_plain(name: str, made: ast.expr, call: ast.Call, function: Function) -> bool:
    """Whether a dictionary is changed between its making and the call alone, by no branch.

    Whoever else is handed it may change it as well.
    """
    around = {id(one) for one, _ in function.statements_around(call)}
    for load in loads_of(function).get(name, ()):
        if not end(made) <= start(load) <= end(call):
            continue
        holding = [one for one, _ in function.statements_around(load)]
        if any(isinstance(one, _BRANCHES) and id(one) not in around for one in holding):
            return False
    return True


def _changes(name: str, function: Function) -> Iterator[Options | None]:
    """What statements put into a dictionary; None for what is not understood."""
    for node in own_nodes(function.node):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
            target = node.targets[0]
            if isinstance(target.value, ast.Name) and target.value.id == name:
                key = target.slice.value if isinstance(target.slice, ast.Constant) else None
                yield {key: node.value} if isinstance(key, str) else None
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            receiver = node.func.value
            if isinstance(receiver, ast.Name) and receiver.id == name:
                yield _updated(node)


def _updated(call: ast.Call) -> Options | None:
    """What `options.update(...)` adds; methods that only read add nothing."""
    method = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    if method in ("get", "keys", "values", "items", "copy"):
        return {}
    if method != "update" or len(call.args) > 1:
        return None
    found = _written(call.args[0]) if call.args else {}
    names = [one.arg for one in call.keywords]
    if found is None or None in names:
        return None
    return {**found, **{str(one.arg): one.value for one in call.keywords}}
