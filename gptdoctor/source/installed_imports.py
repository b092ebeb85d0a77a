"""The installed modules that a model's files import whenever they are imported themselves.

The worker may import these once for several models that share them.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from gptdoctor.source.classes import ClassInfo
from gptdoctor.source.folders import INSTALLED_FOLDERS
from gptdoctor.source.imports import Guard, ImportNode, guarding, import_sites
from gptdoctor.source.module import SourceModule
from gptdoctor.source.names import absolute_module
from gptdoctor.source.places import Origin
from gptdoctor.source.project import Project


def installed_imports(project: Project, family: Iterable[ClassInfo]) -> tuple[str, ...]:
    """What the files of a model's classes import: "einops", or "transformers:GPT2Config" with
    the name that is asked of the module.

    Of a model that is installed itself, the other files of its package are installed code, too.
    """
    modules = list(dict.fromkeys(info.module for info in family))
    if modules and _is_installed(modules[0]):
        del modules[1:]
    found = (one for module in modules for one in _of_module(project, module))
    return tuple(dict.fromkeys(found))


def _of_module(project: Project, module: SourceModule) -> Iterator[str]:
    for site in import_sites(module):
        if not site.lazy and not site.stands_in_for and guarding(site).kind is not Guard.CONDITION:
            yield from _of_statement(project, module, site.node)


def _of_statement(project: Project, module: SourceModule, node: ImportNode) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (each.name for each in node.names if _foreign(project, module, each.name))
        return
    origin = absolute_module(node, module.package)
    if origin and _foreign(project, module, origin):
        yield from (origin if each.name == "*" else f"{origin}:{each.name}" for each in node.names)


def _foreign(project: Project, module: SourceModule, dotted: str) -> bool:
    """Whether a module is installed code, and not the importer itself or a package around it."""
    found = project.resolve(dotted, module)
    if found.origin is Origin.PROJECT:
        return _is_installed(module) and not f"{module.dotted}.".startswith(f"{dotted}.")
    return found.origin is Origin.INSTALLED


def _is_installed(module: SourceModule) -> bool:
    return any(folder.name in INSTALLED_FOLDERS for folder in module.file.parents)
