"""Layers of a dictionary of modules whose keys are all written out, and one of which none asks for.

self.parts = nn.ModuleDict({"up": nn.Linear(8, 8), "skip": nn.Linear(8, 8)})
...
return self.parts["up"](x)
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from gptdoctor.source.constructors import Constructor, Setting, Use, own_text
from gptdoctor.source.flow_functions import Function, functions_of, loads_of
from gptdoctor.source.flow_targets import Role
from gptdoctor.source.forgotten_layers import has_weights, is_meant, is_named_elsewhere, tells_all

# What is no key behind a dot, but goes through all of them or hands them on.
_METHODS = frozenset({*dir(dict), "children", "modules", "parameters", "named_parameters", "to"})


def forgotten_items(constructor: Constructor) -> Iterator[tuple[Setting, ast.Constant, str]]:
    """Each dictionary with such a layer, the node of its key, and the key."""
    module = constructor.info.module
    for setting in constructor.settings:
        items = dict(_items(setting, constructor))
        if len(items) < 2 or not tells_all(constructor):
            continue
        asked = _asked_for(setting.name, constructor)
        if not asked or not constructor.made_once(setting.name):
            continue
        left = {key: (node, made) for key, (node, made) in items.items() if key not in asked}
        known = {
            key: node
            for key, (node, made) in left.items()
            if has_weights(made, module) and not is_meant(key, made, module)
        }
        if known and not is_named_elsewhere(constructor, setting.name):
            yield from ((setting, node, key) for key, node in known.items())


def _items(
    setting: Setting, constructor: Constructor
) -> Iterator[tuple[str, tuple[ast.Constant, ast.expr]]]:
    """The items of `nn.ModuleDict({...})`; none where a key is not written out."""
    called = constructor.info.module.names.called(setting.value) or ""
    given = setting.value.args if isinstance(setting.value, ast.Call) else []
    table = given[0] if called == "torch.nn.ModuleDict" and len(given) == 1 else None
    keys = table.keys if isinstance(table, ast.Dict) else []
    if isinstance(table, ast.Dict) and all(isinstance(one, ast.Constant) for one in keys):
        for key, made in zip(keys, table.values, strict=True):
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                yield key.value, (key, made)


def _asked_for(name: str, constructor: Constructor) -> set[str]:
    """The keys that a class asks a dictionary for; none where it may ask for any."""
    uses = [one for one in own_text(constructor.info).uses(name) if not one.written]
    functions = functions_of(constructor.project, constructor.info.module)
    found: set[str] = set()
    for use in uses:
        keys = _keys_at(use, constructor, functions[use.method])
        if not keys:
            return set()
        found |= keys
    return found


def _keys_at(use: Use, constructor: Constructor, function: Function) -> set[str]:
    """The keys of one place: `self.parts["up"]`, `self.parts.up`, or those of a local name."""
    text = own_text(constructor.info)
    around = text.parent(use.node)
    if not isinstance(around, ast.Assign):
        key = _key(around, use.node)
        return {key} if key else set()
    name = around.targets[0]
    if around.value is not use.node or not isinstance(name, ast.Name) or len(around.targets) != 1:
        return set()
    known = function.bindings.by_name.get(name.id, [])
    loads = loads_of(function).get(name.id, [])
    keys = {_key(text.parent(one), one) for one in loads}
    return keys if len(known) == 1 and known[0].role is Role.WHOLE and "" not in keys else set()


def _key(around: ast.AST | None, node: ast.AST) -> str:
    if isinstance(around, ast.Attribute):
        return "" if around.attr in _METHODS else around.attr
    index = around.slice if isinstance(around, ast.Subscript) and around.value is node else None
    text = index.value if isinstance(index, ast.Constant) else None
    return text if isinstance(text, str) else ""
