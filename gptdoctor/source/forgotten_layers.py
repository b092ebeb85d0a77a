"""Layers and parameters that a constructor makes, and that no text of the project names again.

By words, not by flow: whatever may name a layer, a text in quotes included, is taken to use it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from gptdoctor.source.classes import ClassInfo
from gptdoctor.source.constructors import Constructor, Setting
from gptdoctor.source.flow_attributes import PARAMETERLESS
from gptdoctor.source.flow_calls import MOST_NEIGHBOURS, files_beside
from gptdoctor.source.heads import bytes_of
from gptdoctor.source.module import SourceModule
from gptdoctor.source.nodes import every_node
from gptdoctor.source.project import Project
from gptdoctor.source.project_files import files_importing

# What a class may extend and still name its own layers: other bases may do it for it.
PLAIN_BASES = frozenset({"torch.nn.Module", "torch.nn.modules.module.Module"})
# A layer that is asked for by a name which is put together; no settings and no library are.
_BY_NAME = (
    r"[gs]etattr\((?!\s*(?:self\.)?(?:config|cfg|args|opt|torch|nn|F|module|logger)\b)"
    r"[^,()]+,\s*(?!([\"'])\w+\1\s*[,)])"
)
# Ways to reach a layer without its name, wherever they stand: who has the model has its parts.
THROUGH = re.compile(
    rf"\.children\(|named_children|\._modules\b|get_submodule|attrgetter|{_BY_NAME}"
)
# The same in the text of the class itself, or of its bases.
NAMELESS = re.compile(
    r"__getattr|__dict__|_modules\b|_parameters\b|\bvars\(|\.modules\(|named_modules"
    r"|get_parameter|\bexec\(|\beval\("
)
# One of these stands in every text with a match of the two, which is said in a tenth of the time.
_NAMELESS_WORDS = (
    *("etattr(", "__getattr", "__dict__", "_modules", "_parameters", "vars(", ".modules("),
    *("get_parameter", "exec(", "eval(", "children", "get_submodule", "attrgetter"),
)
# A comment that says that nothing is to use a layer.
INTENT = re.compile(
    r"#.*(?:unused|not used|never used|compat|checkpoint|legacy|dummy|placeholder|backward"
    r"|state.?dict|for later|reserved|gptdoctor)",
    re.IGNORECASE,
)
IDLE = re.compile(r"_?(dummy|unused|placeholder|anchor|device|empty|_).*", re.IGNORECASE)


def forgotten(constructor: Constructor, names: set[str]) -> Iterator[Setting]:
    """What a constructor makes with weights in it, and nothing in sight may use.

    `names`: the attributes to ask it of, which are those of `names_once`.
    """
    module = constructor.info.module
    if not tells_all(constructor):
        return
    for setting in constructor.settings:
        if setting.name in names and has_weights(setting.value, module):
            meant = is_meant(setting.name, setting.value, module)
            if not meant and not is_named_elsewhere(constructor, setting.name):
                yield setting


def names_once(text: str) -> set[str]:
    """The attributes that a class's text gives something of torch.nn, and names nowhere else.

    A search for words: most classes have none, and are read no further.
    """
    found = set()
    begin = max(text.find("def __init__"), 0)
    for wanted in (" = nn.", " = Parameter(", " = torch.nn."):
        at = text.find(wanted, begin)
        while at >= 0:
            own = text.rfind("self.", begin, at)
            name = text[own + 5 : at].partition(":")[0]
            if own >= 0 and name.isidentifier() and not _named_beside(text, name, own + 5):
                found.add(name)
            at = text.find(wanted, at + len(wanted))
    return found


def _named_beside(text: str, name: str, at: int) -> bool:
    """Whether an attribute stands once more in a text than at a place: below it, as most do."""
    return _stands(text, f".{name}", at, len(text)) or _stands(text, f".{name}", 0, at - 1)


def _stands(text: str, wanted: str, begin: int, end: int) -> bool:
    """Whether an attribute stands in a stretch of a text, as a whole."""
    at = text.find(wanted, begin, end)
    while at >= 0:
        at += len(wanted)
        following = text[at : at + 1]
        if following != "_" and not following.isalnum():
            return True
        at = text.find(wanted, at, end)
    return False


def has_weights(value: ast.expr, module: SourceModule) -> bool:
    """Whether an expression makes layers of torch's that learn, or a parameter."""
    if not isinstance(value, ast.Call):
        return False
    home, _, last = (module.names.called(value) or "").rpartition(".")
    if not home.startswith("torch.nn") or home.startswith(("torch.nn.init", "torch.nn.functional")):
        return False
    if last in ("Sequential", "ModuleList", "ModuleDict", "ParameterList"):
        inner = (one for one in every_node(value) if isinstance(one, ast.Call) and one is not value)
        return any(has_weights(one, module) for one in inner)
    if last == "Parameter":
        return not any(one.arg == "requires_grad" for one in value.keywords)
    affine = (one.value for one in value.keywords if one.arg in ("affine", "elementwise_affine"))
    plain = any(isinstance(one, ast.Constant) and one.value is False for one in affine)
    return last[:1].isupper() and not plain and not PARAMETERLESS.search(last)


def is_plain(info: ClassInfo, project: Project) -> bool:
    """Whether nothing but classes of its own file, and torch's, may name the layers of a class.

    Bases of other files may, and to parse these takes long.
    """
    here = project.classes(info.module)
    plain = not info.node.decorator_list and bool(info.bases)
    return plain and all(one in PLAIN_BASES or one in here for one in info.bases)


def tells_all(constructor: Constructor) -> bool:
    """Whether a class names its layers where it uses them."""
    info, project = constructor.info, constructor.project
    family = [info, *project.bases(info)]
    return (
        bool(PLAIN_BASES & set(project.external_bases(info)))
        and set(project.external_bases(info)) <= PLAIN_BASES
        and any("forward" in one.methods for one in family)
        and not any(_avoids_names(one.text) for one in family)
    )


def _avoids_names(text: str) -> bool:
    """Whether a class may reach its layers without their names."""
    if not any(map(text.__contains__, _NAMELESS_WORDS)):
        return False
    return NAMELESS.search(text) is not None or THROUGH.search(text) is not None


def is_meant(name: str, value: ast.expr, module: SourceModule) -> bool:
    """Whether a name, or a comment at its value, says that nothing is to use the layer."""
    around = module.lines[max(value.lineno - 3, 0) : value.end_lineno]
    return IDLE.fullmatch(name) is not None or any(map(INTENT.search, around))


def is_named_elsewhere(constructor: Constructor, name: str) -> bool:
    """Whether other text than the class's own may use the attribute, or it is not all in sight."""
    project, module = constructor.project, constructor.info.module
    beside = files_beside(project, module.file)
    if not beside and (module.file.parent / "__init__.py").is_file():
        return True  # a library
    kinds = {one.name for one in (constructor.info, *project.bases(constructor.info))}
    words = {*kinds, *module.dotted.split(".")}
    files = dict.fromkeys([*beside, *files_importing(project, module, words)])
    if len(files) > MOST_NEIGHBOURS:
        return True
    texts = [module.text, *(_text(one) for one in files if one != module.file)]
    kinds = _descendants(kinds, texts)
    texts[0] = texts[0].replace(constructor.info.text, "")
    here, elsewhere = kinds, kinds - {constructor.info.name}  # there it is another class
    return _may_name(texts[0], name, here) or any(
        _may_name(text, name, elsewhere) for text in texts[1:]
    )


def _text(file: Path) -> str:
    return bytes_of(file).decode(errors="replace")


def _descendants(kinds: set[str], texts: list[str]) -> set[str]:
    """The names of classes, and of all that may extend them in some texts."""
    heads = [head for text in texts for head in re.findall(r"\bclass\s+(\w+)\s*\(([^)]*)\)", text)]
    while True:
        more = {name for name, bases in heads if kinds & set(re.findall(r"\w+", bases))} - kinds
        if not more:
            return kinds
        kinds = kinds | more


def _may_name(text: str, name: str, kinds: set[str]) -> bool:
    """Whether a text names the attribute: of `self` in a class of these, or of anything else."""
    if THROUGH.search(text) and any(map(text.__contains__, kinds)):
        return True
    for found in re.finditer(rf"(\bself)?\s*[.'\"]{name}\b", text):
        if not found.group(1) or _class_around(text, found.start()) in kinds:
            return True
    return False


def _class_around(text: str, at: int) -> str:
    """The name of the class whose definition stands last before a place."""
    heads = re.findall(r"^[ \t]*class\s+(\w+)", text[:at], re.MULTILINE)
    return heads[-1] if heads else ""
