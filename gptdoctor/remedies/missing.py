"""What a file does without a name that it cannot import: it goes on, and fails clearly later."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import libcst as cst

from gptdoctor.remedies.declined import Declined
from gptdoctor.remedies.edits import Edits
from gptdoctor.remedies.flow import uses
from gptdoctor.remedies.imported import aliases, bound, remove_aliases
from gptdoctor.remedies.parsed import ParsedSource, is_docstring
from gptdoctor.remedies.refusal import refusal


def guard_names(
    edits: Edits, statement: cst.ImportFrom, missing: Sequence[cst.ImportAlias]
) -> None:
    """Let a `from` import fail quietly, and the functions that need its names fail clearly."""
    source = edits.source
    line = _unguarded(source, statement)
    names = [bound(alias) for alias in missing]
    module = "." * len(statement.relative)
    module += source.code(statement.module) if statement.module is not None else ""
    if len(missing) < len(aliases(statement)):
        kept = ", ".join(source.code(alias).rstrip(", ") for alias in missing)
        edits.after(line, _guarded(f"from {module} import {kept}", names, source.indent))
        remove_aliases(edits, statement, missing)
    else:
        _wrap(edits, line, names)
    _refuse(edits, {name: f"{name} from {module}" for name in names})


def guard_module(edits: Edits, statement: cst.Import) -> None:
    """The same for `import module` and `import module as name`."""
    source = edits.source
    line = _unguarded(source, statement)
    if len(statement.names) != 1:
        raise Declined("several modules are imported by one statement")
    alias = statement.names[0]
    module = source.code(alias.name)
    name = source.code(alias.asname.name) if alias.asname is not None else module
    if "." in name:
        raise Declined("the package of the missing module may be there, under the same name")
    _wrap(edits, line, [name])
    _refuse(edits, {name: f"the module {module}"})


def _unguarded(source: ParsedSource, statement: cst.CSTNode) -> cst.SimpleStatementLine:
    line = source.lone_statement(statement)
    if any(isinstance(parent, cst.Try) for parent in source.parents(line)):
        raise Declined("nothing in the project defines what is missing, and it is guarded already")
    if source.around(line, cst.FunctionDef) is not None:
        raise Declined("nothing in the project defines what is missing, and it is asked for late")
    return line


def _wrap(edits: Edits, line: cst.SimpleStatementLine, names: Sequence[str]) -> None:
    source = edits.source
    lines = _guarded(source.code(line), names, source.indent)
    edits.replace(line, f"{source.newline}{source.margin(line)}".join(lines))


def _guarded(code: str, names: Iterable[str], indent: str) -> list[str]:
    fallback = " = ".join([*names, "None"])
    return ["try:", f"{indent}{code}", "except ImportError:", f"{indent}{fallback}"]


def _needing(source: ParsedSource, name: str) -> list[cst.FunctionDef]:
    """The functions that must not run without a name: constructors of the classes that use it."""
    found: list[cst.FunctionDef] = []
    for use in uses(source.module, name, source):
        if any(isinstance(one, cst.Import | cst.ImportFrom) for one in source.parents(use)):
            continue
        function = _constructor(source, use)
        if function not in found:
            found.append(function)
    return found


def _constructor(source: ParsedSource, use: cst.Name) -> cst.FunctionDef:
    """The constructor of the class around a use, else the outermost function around it."""
    chain = [one for one in source.parents(use) if isinstance(one, cst.FunctionDef | cst.ClassDef)]
    functions = [one for one in chain if isinstance(one, cst.FunctionDef)]
    if not functions or not source.inside(use, functions[-1].body):
        raise Declined(f"{use.value} is needed while the file is imported, and nothing defines it")
    outer = source.around(functions[-1], cst.ClassDef)
    for member in outer.body.body if outer is not None else ():
        if isinstance(member, cst.FunctionDef) and member.name.value == "__init__":
            return member
    return functions[-1]


def _refuse(edits: Edits, wanted: dict[str, str]) -> None:
    """Make every function that needs one of the names say so before it does anything."""
    source = edits.source
    needing = {name: _needing(source, name) for name in wanted}
    every = {id(one): one for found in needing.values() for one in found}
    for function in every.values():
        if not isinstance(function.body, cst.IndentedBlock):
            raise Declined("a function that needs what is missing has no lines of its own")
        owner = source.around(function, cst.ClassDef)
        label = (owner or function).name.value
        body = function.body.body
        first = body[1] if is_docstring(body[0]) and len(body) > 1 else body[0]
        lines: list[str] = []
        for name in (name for name, found in needing.items() if function in found):
            sentence = f"{label} needs {wanted[name]}, which cannot be imported"
            lines += refusal(
                f"{name} is None",
                "ImportError",
                sentence,
                indent=source.indent,
                margin=source.margin(first),
            )
        edits.above_comments(first, lines)
