"""Signs of a training loss, and of logits over a vocabulary, in the text of a class."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from gptdoctor.source.classes import ClassInfo, FunctionNode, parameters
from gptdoctor.source.module import SourceModule
from gptdoctor.source.project import Project

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
VOCABULARY = re.compile(r"vocab|n_?tokens?$|num_tokens|dictionary|num_embeddings|n_?words")
# Tables of these are indexed by something else than tokens.
NO_VOCABULARY = re.compile(r"expert|pos|len|ctx|block|type|segment|layer|context")
# A helper that a helper calls belongs to the model hardly any more.
DEEPEST_HELPER = 2


def loss_sign(project: Project, info: ClassInfo) -> str | None:
    """The first sign of a training loss: in a class, its bases, its parts or what takes it.

    A base from elsewhere that cannot be read is a sign as well: it may bring the loss.
    """
    for name in project.external_bases(info):
        if name not in LOSSLESS_BASES:
            return name
    for link in project.family(info):
        sign = next(_signs(project, link.module, link.node, 0), None)
        if sign is not None:
            return sign
    return _sign_of_users(project, info)


def _sign_of_users(project: Project, info: ClassInfo) -> str | None:
    """A sign in a class or function of the module that says it takes such a model."""
    for user in info.module.tree.body:
        if not isinstance(user, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        takes = any(
            isinstance(node, ast.arg)
            and node.annotation is not None
            and re.search(rf"\b{info.name}\b", ast.unparse(node.annotation))
            for node in ast.walk(user)
        )
        if takes and user is not info.node:
            sign = next(_signs(project, info.module, user, 0), None)
            if sign is not None:
                return sign
    return None


def _signs(project: Project, module: SourceModule, node: ast.AST, depth: int) -> Iterator[str]:
    for inner in ast.walk(node):
        if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _signs_of_function(inner)
        name = _named(inner)
        if name and is_loss_name(name):
            yield name
        if isinstance(inner, ast.Call) and depth < DEEPEST_HELPER:
            helper = _helper(project, module, inner)
            if helper is not None:
                yield from _signs(project, *helper, depth + 1)


def _named(node: ast.AST) -> str | None:
    """The name that a node uses or binds."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return node.name
    return node.arg if isinstance(node, ast.arg | ast.keyword) else None


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
        for node in ast.walk(function)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }
    yield from (arg.arg for arg in parameters(function) if arg.arg in LABELS & read)
    calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
    logs = {_called(call) for call in calls} & {"log_softmax", "logsumexp"}
    if logs and any(_picks_likelihood(call, function) for call in calls):
        yield "gather"


def _picks_likelihood(call: ast.Call, function: FunctionNode) -> bool:
    """Whether a call gathers from what log_softmax gave, or from logits beside a logsumexp."""
    if _called(call) != "gather" or not isinstance(call.func, ast.Attribute):
        return False
    source = call.func.value
    if getattr(source, "id", "") == "torch" and call.args:
        source = call.args[0]
    logs = {"log_softmax", "logsumexp"}
    if _called(source) in logs:
        return True
    assigned = (node for node in ast.walk(function) if isinstance(node, ast.Assign))
    return any(
        _called(node.value) in logs and getattr(target, "id", "") == getattr(source, "id", None)
        for node in assigned
        for target in node.targets
    )


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
    other = project.module(origin, module) if origin else None
    if other is None or last not in other.functions:
        return None
    return other, other.functions[last]


def _called(node: ast.AST) -> str:
    """The last name of what a call calls, "" where `node` is no call."""
    function = node.func if isinstance(node, ast.Call) else None
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def gives_logits(project: Project, info: ClassInfo) -> bool:
    """Whether a class, or a part of it, projects to the vocabulary."""
    family = project.family(info)
    calls = [node for part in family for node in ast.walk(part.node) if isinstance(node, ast.Call)]
    tables = {
        size
        for call in calls
        if _called(call) == "Embedding"
        and (size := _size(call, 0, "num_embeddings"))
        and not NO_VOCABULARY.search(size.lower())
    }
    for call in calls:
        if "Linear" in _called(call) or _called(call) in ("Conv1d", "Dense"):
            size = _size(call, 1, "out_features")
            if size and (size in tables or VOCABULARY.search(size.lower())):
                return True
    return any(_ties(node) for part in family for node in ast.walk(part.node))


def _size(call: ast.Call, index: int, keyword: str) -> str | None:
    """The last name, or the number, of the size given to a layer."""
    value = next((one.value for one in call.keywords if one.arg == keyword), None)
    if value is None and len(call.args) > index:
        value = call.args[index]
    if isinstance(value, ast.Subscript):
        value = value.slice
    if isinstance(value, ast.Attribute):
        return value.attr
    return value.id if isinstance(value, ast.Name) else _number(value)


def _number(value: ast.expr | None) -> str | None:
    return str(value.value) if isinstance(value, ast.Constant) else None


def _ties(node: ast.AST) -> bool:
    """Whether a node multiplies by a table's weight, or gives one layer the weight of another."""
    if isinstance(node, ast.Assign):
        return _is_table(node.value) and any(_is_weight(target) for target in node.targets)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
        return any(_is_table(inner) for inner in ast.walk(node.right))
    if isinstance(node, ast.Call) and _called(node) in ("linear", "matmul", "einsum", "mm"):
        return any(_is_table(inner) for argument in node.args for inner in ast.walk(argument))
    return False


def _is_weight(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "weight"


def _is_table(node: ast.AST) -> bool:
    """`self.wte.weight` and the like: the weight of something that embeds tokens."""
    if not isinstance(node, ast.Attribute) or node.attr != "weight":
        return False
    name = node.value.attr if isinstance(node.value, ast.Attribute) else ""
    return bool(re.search(r"emb|wte|tok", name.lower())) and not NO_VOCABULARY.search(name.lower())
