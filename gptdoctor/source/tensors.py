"""Whether a value is a tensor, as far as its own module tells: by where it comes from."""

from __future__ import annotations

import ast
import re

from gptdoctor.source.flow_bindings import Binding
from gptdoctor.source.flow_targets import Role, text_of
from gptdoctor.source.frames import Frame
from gptdoctor.source.literals import written_text
from gptdoctor.source.names import called_name

DEEPEST = 5  # from name to name
# Functions of torch's that give one tensor, whatever they are given.
MAKES_TENSOR = re.compile(
    r"^torch\.(tensor|as_tensor|from_numpy|zeros|ones|empty|full|rand|randn|randint|randperm|arange"
    r"|linspace|eye|zeros_like|ones_like|empty_like|full_like|rand_like|randn_like|cat|stack|where"
    r"|matmul|bmm|einsum|exp|log|sqrt|softmax|sigmoid|tanh|relu|clamp|tril|triu|multinomial|argmax"
    r"|sum|mean|outer|cumsum|nn\.functional\.(?!multi_head)\w+)$"
)
# Methods that only tensors have, and that give a tensor.
OF_TENSORS = frozenset(
    {
        "masked_fill",
        "unsqueeze",
        "squeeze",
        "permute",
        "softmax",
        "log_softmax",
        "masked_select",
        "index_select",
        "contiguous",
        "expand_as",
        "view_as",
        "type_as",
        "clamp",
        "argmax",
        "flatten",
    }
)
# Of a tensor they give a tensor; other things have methods of these names as well.
KEEPS_TENSOR = frozenset(
    {
        "view",
        "reshape",
        "transpose",
        "to",
        "float",
        "half",
        "long",
        "cuda",
        "cpu",
        "detach",
        "clone",
        "repeat",
        "expand",
        "mean",
        "sum",
        "chunk",
        "split",
        "type",
        "bool",
        "exp",
        "log",
        "clip",
    }
)
INPUTS = frozenset(["x", "q", "k", "v", "query", "key", "value", "hidden_states", "mask"])
LAYER = re.compile(
    r"^torch\.nn\.(Linear|Embedding|LayerNorm|RMSNorm|Dropout|Conv[123]d|BatchNorm\dd|GELU|ReLU)$"
)
PARAMETERS = frozenset({"torch.nn.Parameter", "torch.nn.parameter.Parameter"})
LOADER_NAME = re.compile(r"loader|dataset|batches|_dl$|_iter$|^data$", re.IGNORECASE)
# Names of things in a batch that are no tensors, or that move in place.
NO_TENSOR_NAME = re.compile(
    r"batch|graph|data|sample|inputs|encod|item|meta|example", re.IGNORECASE
)
# What everyone calls a part of a batch that is a tensor: no list and no batch moves by `to`.
BATCH_NAME = re.compile(
    r"^(images?|imgs?|labels?|targets?|input_ids|attention_mask|token_ids|pixel_values|logits)$"
)
# What people call a tensor of which they know no more.
ENTRY_NAME = re.compile(r"^(t|v|x|y|val|value|tensor)$")


def is_tensor(value: ast.expr, frame: Frame, depth: int = 0) -> bool:
    """Whether a value is surely a tensor; one of which nothing is known is not."""
    if depth > DEEPEST:
        return False
    if isinstance(value, ast.Call):
        return _makes_tensor(value, frame, depth)
    if isinstance(value, ast.BinOp):
        return is_tensor(value.left, frame, depth + 1) or is_tensor(value.right, frame, depth + 1)
    if isinstance(value, ast.Subscript):
        if written_text(value.slice) is not None:
            return isinstance(value.value, ast.Name) and _from_loader(value.value, frame)
        return is_tensor(value.value, frame, depth + 1)
    if isinstance(value, ast.Attribute):
        return _is_kept(value, frame, depth)
    if not isinstance(value, ast.Name):
        return False
    home, bindings = frame.bound(value.id)
    known = [one for one in bindings if one.role is not Role.CHANGED]
    return bool(known) and all(_is_tensor(one, home, depth) for one in known)


def _is_kept(value: ast.Attribute, frame: Frame, depth: int) -> bool:
    """A parameter of the class, and what `.data` or `.grad` of a tensor is."""
    if value.attr in ("data", "grad"):
        parameter = isinstance(value.value, ast.Name) and _is_parameter(value.value, frame)
        return parameter or is_tensor(value.value, frame, depth + 1)
    made = [frame.module.names.called(one) or "" for one in frame.attribute_values(value)]
    return bool(made) and all(one in PARAMETERS for one in made)


def _is_parameter(name: ast.Name, frame: Frame) -> bool:
    """Whether a name is what a loop over a module's parameters gives."""
    _, bindings = frame.bound(name.id)
    return bool(bindings) and all(
        one.role is Role.ELEMENT and called_name(one.value) in ("parameters", "named_parameters")
        for one in bindings
    )


def _is_tensor(binding: Binding, home: Frame, depth: int) -> bool:
    """Whether what a binding gives to its name is a tensor."""
    if binding.role is Role.ARGUMENT:
        named = BATCH_NAME.match(binding.name) is not None and home.function is not None
        return named or _annotated(binding.name, home) or _is_input(binding.name, home)
    if binding.value is None:
        return False
    if binding.role is Role.WHOLE:
        return is_tensor(binding.value, home, depth + 1)
    if NO_TENSOR_NAME.search(binding.name) is not None:
        return False
    if binding.role is Role.ITEM:
        return _unpacked(binding.value, home)
    if binding.role is not Role.ELEMENT:
        return False
    if _is_entry(binding, home):
        return True
    unpacked = _among_several(binding, home)
    return unpacked and LOADER_NAME.search(text_of(binding.value)) is not None


def _unpacked(value: ast.expr, home: Frame) -> bool:
    """Whether a value is one batch of a loader: `x, y = batch`, `x, y = next(iter(loader))`."""
    if isinstance(value, ast.Name):
        return _from_loader(value, home)
    first = called_name(value) == "next" and isinstance(value, ast.Call) and bool(value.args)
    return first and "loader" in text_of(value)


def _is_entry(binding: Binding, home: Frame) -> bool:
    """Whether a name is what a batch of a loader holds under a key: `for k, v in batch.items()`.

    Or one of several that it holds, if it is called as tensors are: `for t in batch`.
    """
    if not isinstance(binding.value, ast.Name) or not _from_loader(binding.value, home):
        return False
    if ENTRY_NAME.search(binding.name):
        return True
    keys = (one for known in home.bindings.by_name.values() for one in known)
    return any(one.role is Role.COUNTER and one.since == binding.since for one in keys)


def _among_several(binding: Binding, home: Frame) -> bool:
    """Whether a loop's name is one of several that an item is unpacked into."""
    others = [
        one
        for known in home.bindings.by_name.values()
        for one in known
        if one.value is binding.value and one.role is Role.ELEMENT and one.since == binding.since
    ]
    return len(others) > 1


def _annotated(name: str, home: Frame) -> bool:
    arguments = [] if home.function is None else _arguments(home.function.node.args)
    return any(
        one.arg == name
        and one.annotation is not None
        and home.module.names.qualified(one.annotation) in ("torch.Tensor", "torch.LongTensor")
        for one in arguments
    )


def _is_input(name: str, home: Frame) -> bool:
    """Whether a parameter is the `x` of a network's forward, which everyone calls so."""
    function = home.function
    owner = None if function is None else function.owner
    if function is None or owner is None or function.name != "forward" or name not in INPUTS:
        return False
    return home.project.is_network(owner)


def _arguments(arguments: ast.arguments) -> list[ast.arg]:
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]


def _from_loader(name: ast.Name, frame: Frame) -> bool:
    """Whether a name is what a loop over a loader gives: `batch["labels"]` is a tensor then."""
    _, bindings = frame.bound(name.id)
    elements = [one for one in bindings if one.role is Role.ELEMENT and one.value is not None]
    return bool(elements) and all(
        one.role is Role.CHANGED
        or (one in elements and LOADER_NAME.search(text_of(one.value or name)) is not None)
        for one in bindings
    )


def _makes_tensor(call: ast.Call, frame: Frame, depth: int) -> bool:
    qualified = frame.module.names.called(call) or ""
    if MAKES_TENSOR.match(qualified):
        return True
    if _is_layer(call.func, frame):
        return True
    if not isinstance(call.func, ast.Attribute):
        return False
    if call.func.attr in OF_TENSORS:
        return True
    return call.func.attr in KEEPS_TENSOR and is_tensor(call.func.value, frame, depth + 1)


def _is_layer(called: ast.expr, frame: Frame) -> bool:
    """Whether `self.proj(x)` runs one of torch's own layers that give one tensor."""
    made = [frame.module.names.called(one) or "" for one in frame.attribute_values(called)]
    return bool(made) and all(LAYER.match(one) for one in made)
