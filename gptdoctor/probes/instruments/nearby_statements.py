"""The statements of the user's text before and behind a line that a run has shown."""

from __future__ import annotations

import ast
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from gptdoctor.core.findings import Place
from gptdoctor.probes.instruments.loaded_text import covers, tree_at
from gptdoctor.probes.instruments.nearby_text import Function, function_at
from gptdoctor.probes.instruments.statements import methods_named


def is_discarded(place: Place, root: str) -> bool:
    """Whether the statement at a place is a call of which the result is not taken."""
    line = place.line or 0
    return any(
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and covers(node, line)
        for node in ast.walk(tree_at(place, root))
    )


def loop_around(place: Place, root: str) -> Place | None:
    """The innermost `for` of the user's text whose body holds a place; None where there is none."""
    line = place.line or 0
    heads = [
        node.lineno
        for node in ast.walk(tree_at(place, root))
        if isinstance(node, ast.For) and node.lineno < line <= (node.end_lineno or 0)
    ]
    return replace(place, line=max(heads)) if heads else None


def replacing_line(place: Place, root: str) -> int | None:
    """The line that gives an argument of the function at a place a new value from there.

    That of the statement itself, where it does so or gives its value back, unless the next one
    does nothing but give it a name; else of the first later one that takes what the statement
    named.  None: there is none.
    """
    function, line = function_at(place, root), place.line or 0
    if function is None:
        return None
    arguments = {one.arg for one in (*function.args.posonlyargs, *function.args.args)}
    statements = _statements(function)
    at = next((n for n, one in enumerate(statements) if covers(one, line)), None)
    if at is None:
        return None
    made, later = _assigned_names(statements[at]), statements[at + 1 :]
    given = [one for one in later if arguments & _assigned_names(one) or _is_return(one)]
    taking = [one for one in given if made & _read_names(one)]
    again = made & _read_names(statements[at])  # x = f(x), in a loop over blocks
    first = next((one for one in later if made & _read_names(one)), None)
    if again and not arguments & made and first is not None and arguments & _assigned_names(first):
        return first.lineno  # h = norm(x), h = attend(h), x = drop(h)
    if _is_return(statements[at]) or arguments & made or again:
        renames = taking and taking[0] is later[0] and isinstance(taking[0].value, ast.Name)
        return later[0].lineno if renames and not _is_return(later[0]) else line
    return taking[0].lineno if taking else None


def giving_line(place: Place, root: str) -> int | None:
    """The line of the function at a place at which what it gives back gets its value.

    The last one that gives a value to the name that is given back, else that of the return.
    """
    function = function_at(place, root)
    found = _statements(function) if function is not None else []
    ends = [one for one in found if _is_return(one)]
    if not ends:
        return None
    named = _read_names(ends[-1]) if isinstance(ends[-1].value, ast.Name) else set()
    made = [one for one in found if not _is_return(one) and named & _assigned_names(one)]
    return (made or ends)[-1].lineno


def _is_return(node: ast.Assign | ast.Return) -> bool:
    return isinstance(node, ast.Return)


def _statements(function: Function) -> list[ast.Assign | ast.Return]:
    """The assignments and returns of a function, first to last."""
    found = [node for node in ast.walk(function) if isinstance(node, ast.Assign | ast.Return)]
    return sorted(found, key=lambda node: node.lineno)


def _assigned_names(node: ast.Assign | ast.Return) -> set[str]:
    targets = node.targets if isinstance(node, ast.Assign) else []
    parts = (each for target in targets for each in ast.walk(target))
    return {each.id for each in parts if isinstance(each, ast.Name)}


def _read_names(node: ast.Assign | ast.Return) -> set[str]:
    parts = ast.walk(node.value) if node.value is not None else ()
    return {each.id for each in parts if isinstance(each, ast.Name)}


def local_assignment(place: Place, name: str, root: str, *, copied: bool = False) -> int | None:
    """The line of the last assignment to a local `name` before a place, in its function.

    `copied`: only where it gives it the value of another name.
    """
    last = _last_assignment(place, name, root)
    if last is None or (copied and not isinstance(last.value, ast.Name)):
        return None
    return last.lineno


def _last_assignment(place: Place, name: str, root: str) -> ast.Assign | None:
    function = function_at(place, root)
    found = [
        node
        for node in (ast.walk(function) if function is not None else ())
        if isinstance(node, ast.Assign)
        and node.lineno <= (place.line or 0)
        and any(_names(target, name) for target in node.targets)
    ]
    return max(found, key=lambda node: node.lineno, default=None)


def assignment_of_passed(place: Place, names: Collection[str], root: str) -> int | None:
    """The line of the last assignment to one of `names` that the call at a place is given.

    Of those that the function makes wherever it goes, before it comes there, and not of a plain
    None.  None: there is none.
    """
    function, given = function_at(place, root), passed_names(place, root)
    return max(
        (
            node.lineno
            for node in (function.body if function is not None else ())
            if isinstance(node, ast.Assign) and not isinstance(node.value, ast.Constant)
            if node.lineno < (place.line or 0)
            if any(_names(target, name) for target in node.targets for name in given & {*names})
        ),
        default=None,
    )


def passed_names(place: Place, root: str) -> set[str]:
    """The names in what the calls of the statement at a place are given."""
    function = function_at(place, root)
    block, index = _block_with(function, place.line or 0) if function is not None else ([], 0)
    return {name for call in ast.walk(block[index]) for name in _given(call)} if block else set()


def _given(node: ast.AST) -> set[str]:
    """The names in the arguments of a call; none of anything else."""
    if not isinstance(node, ast.Call):
        return set()
    arguments = (*node.args, *(one.value for one in node.keywords))
    parts = (part for argument in arguments for part in ast.walk(argument))
    return {part.id for part in parts if isinstance(part, ast.Name)}


def made_without(place: Place, name: str, others: Collection[str], root: str) -> int | None:
    """The line before a place at which a function of somebody's makes `name` of none of `others`.

    A name called as it is, or a method of `self`: what torch makes is made of what it is given.
    """
    found = _last_assignment(place, name, root)
    call = None if found is None else found.value
    if not isinstance(call, ast.Call) or _given(call) & {*others}:
        return None
    called = call.func
    own = isinstance(called, ast.Attribute) and ast.unparse(called.value) == "self"
    return call.lineno if own or isinstance(called, ast.Name) else None


def copy_of_result(place: Place, root: str) -> Place | None:
    """The statement behind a place that gives what it made another name, and nothing else."""
    function = function_at(place, root)
    nodes = list(ast.walk(function)) if function is not None else []
    assigned = [node for node in nodes if isinstance(node, ast.Assign)]
    made = {
        target.id
        for node in assigned
        for target in node.targets
        if isinstance(target, ast.Name)
        if covers(node, place.line or 0)
    }
    copies = [
        node.lineno
        for node in assigned
        if isinstance(node.value, ast.Name) and node.value.id in made
        if node.lineno > (place.line or 0)
    ]
    return replace(place, line=min(copies)) if copies else None


def next_copy(place: Place, root: str) -> Place | None:
    """The first statement behind a place, in its function, that only gives a value another name."""
    function = function_at(place, root)
    found = [
        node.lineno
        for node in (ast.walk(function) if function is not None else ())
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name)
        if node.lineno > (place.line or 0)
    ]
    return replace(place, line=min(found)) if found else None


def return_place(place: Place, root: str) -> Place:
    """The return of a method at a place that has one alone; else the place itself."""
    owner, _, name = place.symbol.rpartition(".")
    found = [
        node.lineno
        for function in methods_named(str(Path(root) / place.path), owner)
        for node in ast.walk(function)
        if function.name == name and isinstance(node, ast.Return)
    ]
    return replace(place, line=found[0]) if len(found) == 1 else place


def after_lost_result(place: Place, root: str) -> int | None:
    """The line of the assignment after a call of which a result is named and never read.

    None where all that it gives is read (a cache may be, and the rest not), or where something
    else follows.
    """
    function = function_at(place, root)
    block, index = _block_with(function, place.line or 0) if function is not None else ([], 0)
    made = block[index] if block else None
    if not isinstance(made, ast.Assign) or index + 1 >= len(block):
        return None
    names = {
        node.id
        for target in made.targets
        for node in ast.walk(target)
        if isinstance(node, ast.Name) and node.id != "_"
    }
    rest = block[index + 1 :]
    unread = any(not _is_read(name, rest) for name in names)
    lost = unread and isinstance(rest[0], ast.Assign | ast.AugAssign)
    return rest[0].lineno if lost else None


def overwriting_copy(place: Place, root: str) -> int | None:
    """The line behind a place that gives what the statement there names the value of another name.

    None where anything reads the name before, or nothing does so.
    """
    function = function_at(place, root)
    block, index = _block_with(function, place.line or 0) if function is not None else ([], 0)
    made = block[index] if block else None
    names = _assigned_names(made) if isinstance(made, ast.Assign) else set()
    for number, later in enumerate(block[index + 1 :], index + 1):
        taken = isinstance(later, ast.Assign) and _assigned_names(later) & names
        if taken and isinstance(later, ast.Assign) and isinstance(later.value, ast.Name):
            return None if later.value.id in names else later.lineno
        if any(_is_read(name, block[number : number + 1]) for name in names):
            return None
    return None


def _is_read(name: str, statements: list[ast.stmt]) -> bool:
    """Whether some statement reads a name before one that gives it another value."""
    for statement in statements:
        found = [node for node in ast.walk(statement) if isinstance(node, ast.Name)]
        kinds = [type(node.ctx) for node in found if node.id == name]
        if ast.Load in kinds:
            return True
        if kinds:
            return False
    return False


def _block_with(tree: ast.AST, line: int) -> tuple[list[ast.stmt], int]:
    """The innermost list of statements of which one covers a line, and which it is."""
    found: tuple[list[ast.stmt], int] = ([], 0)
    for node in ast.walk(tree):
        for _, block in ast.iter_fields(node):
            for index, each in enumerate(block if isinstance(block, list) else ()):
                if isinstance(each, ast.stmt) and covers(each, line):
                    found = block, index  # walked from outside in
    return found


def _names(target: ast.expr, name: str) -> bool:
    each = target.elts if isinstance(target, ast.Tuple | ast.List) else (target,)
    return any(isinstance(node, ast.Name) and node.id == name for node in each)
