"""Signs of a training loss in the text of a class and of what belongs to it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass, field
from functools import lru_cache
from weakref import WeakKeyDictionary

from gptdoctor.source.classes import FUNCTIONS, ClassInfo, FunctionNode, parameters
from gptdoctor.source.flow_targets import text_of
from gptdoctor.source.handmade_losses import WORDS, handmade_loss
from gptdoctor.source.kept import kept_by
from gptdoctor.source.known_networks import only_network
from gptdoctor.source.module import SourceModule
from gptdoctor.source.nodes import calls_below, every_node, inner_nodes
from gptdoctor.source.outlines import Sketch
from gptdoctor.source.project import Project
from gptdoctor.source.unparsed import home_of_function

# Bases from other packages that are known to bring no loss of their own.
LOSSLESS_BASES = frozenset(
    {
        *("torch.nn.Module", "torch.nn.modules.module.Module", "torch.nn.modules.Module"),
        *("torch.jit.ScriptModule", "torch.nn.Sequential", "torch.nn.ModuleList"),
        *("object", "abc.ABC", "typing.Generic", "typing.Protocol"),
        *("pytorch_lightning.LightningModule", "lightning.LightningModule"),
        *("lightning.pytorch.LightningModule", "pytorch_lightning.core.LightningModule"),
        *("huggingface_hub.PyTorchModelHubMixin", "transformers.GenerationMixin"),
        "transformers.generation.GenerationMixin",
    }
)
LABELS = frozenset(
    {
        *("labels", "label", "label_ids", "lm_labels", "targets", "target", "target_ids"),
        *("next_ids", "next_tokens", "y_true"),
    }
)
TRAINING_METHODS = frozenset({"training_step", "train_step", "train_on_batch", "shared_step"})
LOSS_WORDS = frozenset({"loss", "losses", "criterion", "nll", "xent", "perplexity", "objective"})
LOSS_PHRASES = ("cross_entropy", "crossentropy", "kl_div")
# A loss with one of these words in its name keeps a router or a codebook in order; it does not
# teach the next token.
SIDE_WORDS = frozenset(
    {
        *("aux", "auxiliary", "balance", "balancing", "router", "routing", "gate", "gating"),
        *("z", "moe", "load", "importance", "commit", "commitment", "codebook", "vq"),
        *("reg", "regularization", "penalty", "ponder", "sparsity", "orthogonal"),
    }
)
WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+")
# Helpers of helpers of helpers belong to the model hardly any more.
DEEPEST_HELPER = 2


Helper = tuple[SourceModule, FunctionNode]


@dataclass(eq=False)
class Traces:
    """What classes and functions say of a loss by their own text, and whom they call."""

    signs: dict[ast.AST, str | None] = field(default_factory=dict)
    helpers: dict[ast.AST, tuple[Helper, ...]] = field(default_factory=dict)


_TRACES: MutableMapping[Project, Traces] = kept_by()


def loss_sign(project: Project, info: ClassInfo) -> str | None:
    """The first sign of a training loss: in a class, its bases, its parts or what takes it.

    A base from elsewhere that cannot be read is a sign as well: it may bring the loss.
    """
    for name in project.external_bases(info):
        if name not in LOSSLESS_BASES:
            return name
    family = project.family(info)
    for depth in (DEEPEST_HELPER, 0):  # helpers last: those are looked for in other files
        for link in family:
            sign = _sign(project, link.module, link.node, depth)
            if sign is not None:
                return sign
    return _sign_of_users(project, info)


# By file, and the bases as a class of it names them: hundreds of classes have the same.
_INHERITED: WeakKeyDictionary[SourceModule, dict[tuple[str, ...], bool]] = WeakKeyDictionary()


def inherits_loss(project: Project, info: ClassInfo) -> bool:
    """Whether the bases of a class alone are a sign: cheap to say, for all children share them."""
    known = _INHERITED.setdefault(info.module, {})
    bases = tuple(info.bases)
    if bases not in known:
        known[bases] = _inherits_loss(project, info)
    return known[bases]


def inherits_known_loss(project: Project, info: ClassInfo) -> bool:
    """Whether a base is known by now to bring a loss: hundreds of classes share those that do."""
    told = project.lineage(info)
    known = _TRACES.get(project)
    for base in () if told is None else told.bases:
        if isinstance(base, Sketch):
            if _defines_loss(base):
                return True
        elif known is not None and known.signs.get(base.node) is not None:
            return True
    return False


_DEFINED: WeakKeyDictionary[Sketch, bool] = WeakKeyDictionary()


def _defines_loss(head: Sketch) -> bool:
    """Whether lines alone tell that a class of a file that is not parsed has a method of a loss."""
    said = _DEFINED.get(head)
    if said is None:  # a library's class is a base of hundreds
        said = _DEFINED[head] = any(map(is_loss_name, head.methods))
    return said


def _inherits_loss(project: Project, info: ClassInfo) -> bool:
    told = project.lineage(info)
    external = project.external_bases(info) if told is None else told.external
    if any(name not in LOSSLESS_BASES for name in external):
        return True
    heads = () if told is None else told.bases
    if any(isinstance(head, Sketch) and _defines_loss(head) for head in heads):
        return True
    # The farthest first: it is a library's, the same for hundreds, and its text is known by then.
    links = project.bases(info) if told is None else told.bases
    # What their helpers say is asked last, for those are looked for in other files.
    return any(
        _sign(project, one.module, one.node, depth) is not None
        for depth in (DEEPEST_HELPER, 0)
        for one in map(project.parsed, reversed(links))
        if one is not None
    )


def _sign_of_users(project: Project, info: ClassInfo) -> str | None:
    """A sign in what works with such a model in its own file: by its word, or as it makes one."""
    makes = f"{info.name}("
    script = [one for one in info.module.tree.body if not isinstance(one, _USERS)]
    made = any(makes in info.module.lines_of(one) for one in script)
    for user in info.module.tree.body:
        if user is info.node or (isinstance(user, ast.Import | ast.ImportFrom)):
            continue
        takes = _takes(project, info, user) if isinstance(user, _USERS) else made
        sign = _sign(project, info.module, user) if takes else None
        if sign is not None:
            return sign
    return None


# What a function calls the network that it is given.
_NETWORK = re.compile(r"^(model|net|network)$")
_USERS = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def _takes(project: Project, info: ClassInfo, user: ast.stmt) -> bool:
    """Whether a class or function is given such a model, by its annotations or as the only one.

    A function that makes one itself trains it, where it speaks of a loss.
    """
    text = info.module.lines_of(user)
    if info.name in text and info.name in _annotations(user):
        return True
    given = any(_NETWORK.match(one.arg) for one in _given(user))
    return f"{info.name}(" in text or (given and only_network(project, info.module) is info)


def _given(user: ast.stmt) -> list[ast.arg]:
    """The parameters of a function, or of a class's constructor."""
    if isinstance(user, ast.ClassDef):
        makers = (one for one in user.body if getattr(one, "name", "") == "__init__")
        user = next(makers, user)
    return parameters(user) if isinstance(user, ast.FunctionDef | ast.AsyncFunctionDef) else []


def _annotations(user: ast.AST) -> Iterator[str]:
    for node in inner_nodes(user):
        if isinstance(node, ast.arg) and node.annotation is not None:
            yield from re.findall(r"\w+", text_of(node.annotation))


def _sign(project: Project, module: SourceModule, node: ast.AST, depth: int = 0) -> str | None:
    """The first sign in a class or function, or in the helpers that it calls."""
    known = _TRACES.setdefault(project, Traces())
    if node not in known.signs:
        known.signs[node] = _own_sign(module, node)
    if known.signs[node] is not None or depth >= DEEPEST_HELPER:
        return known.signs[node]
    if node not in known.helpers:
        known.helpers[node] = _helpers(project, module, node)
    found = (_sign(project, *helper, depth + 1) for helper in known.helpers[node])
    return next((sign for sign in found if sign is not None), None)


# Without one of these no name in a text is a sign, and most texts have none.
_HINTS = re.compile(
    r"loss|criteri|nll|xent|perplex|objective|entropy|kl_div|_step|on_batch|label|target|next_|"
    rf"y_true|{'|'.join(map(re.escape, WORDS))}",
    re.IGNORECASE,
)


def _own_sign(module: SourceModule, node: ast.AST) -> str | None:
    first, last = getattr(node, "lineno", 1), getattr(node, "end_lineno", None)
    text = module.text if last is None else module.segment(first, last)
    return _first_sign(node) if _HINTS.search(text) is not None else None


def _helpers(project: Project, module: SourceModule, node: ast.AST) -> tuple[Helper, ...]:
    """The functions of the project that a class or function calls, in the order of the text."""
    calls = calls_below(node)
    found = ((call.lineno, call.col_offset, _helper(project, module, call)) for call in calls)
    ordered = sorted((one for one in found if one[2] is not None), key=lambda one: one[:2])
    return tuple(dict.fromkeys(helper for _, _, helper in ordered if helper is not None))


def _first_sign(node: ast.AST) -> str | None:
    nodes = list(every_node(node))
    names = (name for inner in nodes if (name := _named(inner)) and is_loss_name(name))
    functions = (one for one in nodes if isinstance(one, FUNCTIONS))
    behaviour = (sign for function in functions for sign in _signs_of_function(function))
    return next(names, None) or next(behaviour, None)


_GIVEN = (ast.arg, ast.keyword)


def _named(node: ast.AST) -> str | None:
    """The name that a node uses or binds."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, FUNCTIONS):
        return node.name
    return node.arg if isinstance(node, _GIVEN) else None


@lru_cache(maxsize=4096)
def is_loss_name(name: str) -> bool:
    """Whether a name speaks of a loss that teaches tokens: "loss_fn", "CrossEntropyLoss"."""
    if any(phrase in name.lower() for phrase in LOSS_PHRASES):
        return True
    words = {word.lower() for word in WORD.findall(name)}
    return bool(words & LOSS_WORDS) and not words & SIDE_WORDS


def _signs_of_function(function: FunctionNode) -> Iterator[str]:
    """A method that trains by name, labels that are used, and likelihoods that are picked."""
    if function.name in TRAINING_METHODS:
        yield function.name
    read = {
        node.id
        for node in every_node(function)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }
    yield from (arg.arg for arg in parameters(function) if arg.arg in LABELS & read)
    sign = handmade_loss(function)
    if sign is not None:
        yield sign


def _helper(
    project: Project, module: SourceModule, call: ast.Call
) -> tuple[SourceModule, FunctionNode] | None:
    """The function of the project that a call by plain name or by module calls."""
    name = module.names.called(call)
    if name is None or name.startswith("self."):
        return None
    if name in module.functions:
        return module, module.functions[name]
    origin, _, last = name.rpartition(".")
    other = home_of_function(project, origin, module, last) if origin else None
    if other is None or last not in other.functions:
        return None
    return other, other.functions[last]
