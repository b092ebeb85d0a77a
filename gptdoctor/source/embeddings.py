"""Whether the text of a network turns token ids into vectors."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import lru_cache
from weakref import WeakKeyDictionary

from gptdoctor.source.classes import ClassInfo, FunctionNode, parameter_names, self_attribute
from gptdoctor.source.module import SourceModule
from gptdoctor.source.nodes import every_node, inner_children
from gptdoctor.source.project import Project
from gptdoctor.source.unparsed import bases_defining

# Ways to turn ids into vectors: a network that does it somewhere takes tokens.
EMBEDDINGS = frozenset({"Embedding", "EmbeddingBag", "embedding"})
ID_NAMES = frozenset(
    [
        "input_ids",
        "ids",
        "idx",
        "x",
        "tokens",
        "token_ids",
        "text",
        "text_ids",
        "input_tokens",
        "inp",
        "inputs",
        "src",
        "seq",
    ]
)
# Embedding classes of libraries, of missing siblings too; those of positions are another thing.
_EMBEDDER = re.compile(r"(?:\w+)?Embed(?:ding|dings|der)")
# What else is looked up by a number: positions, times, kinds, layers, classes of pictures.
_OTHER = re.compile(
    r"(?:.*_)?(?:w?pe|pos|posn|position\w*|positional\w*|time\w*|relative\w*|rel|seg|segment\w*"
    r"|token_type\w*|type\w*|class\w*|label\w*|level\w*|query|queries|layer\w*|bucket\w*"
    r"|codebook\w*|expert\w*|router\w*|rope\w*|rotary\w*|patch\w*|image\w*|vision\w*|pixel\w*)"
    r"(?:_.*)?",
    re.IGNORECASE,
)
_OTHER_CLASS = re.compile(
    r".*(?:Rotary|Position|Pos|Patch|Time|Sinu|Relative|Fourier|Image|Vision|Audio|Conv|Pixel|Class"
    r"|Label|Rope|RoPE|Alibi).*"
)
_OTHER_SIZE = re.compile(
    r"max_?(?:len|pos|seq)|position|block_size|context|seq_len|n_ctx|timesteps|num_classes"
    r"|n_classes|num_labels|type_vocab|window|num_patches|n_patches|bucket|num_quer"
)
# What libraries call the number of ids, where a whole model is made of one call.
VOCABULARY = frozenset(
    {"num_tokens", "vocab_size", "n_vocab", "num_embeddings", "n_tokens", "vocab"}
)
# Bases and constructors of libraries that are whole language models.
_LANGUAGE_MODEL = re.compile(
    r".*(?:ForCausalLM|LMHeadModel|ForConditionalGeneration|ForMaskedLM|ForPreTraining)"
    r"|AutoModelForCausalLM\.from_config|AutoModel\w*\.from_config|TransformerWrapper"
)
# Names of library classes that are called with a vocabulary and are no models.
NO_MODEL = re.compile(
    r".*(?:Config|Configuration|Args|Tokenizer\w*|Trainer|Dataset|Loader|Output|Params|Level"
    r"|Collator|Processor|Loss|Metric|Sampler)"
)

# First inputs that are no ids: of a backbone, or of a model of pictures, sound or noise.
_NO_IDS = re.compile(
    r"pixel_values|images?|imgs?|pixels|videos?|audios?|wav(?:e|eform)?|mels?|spec(?:trogram)?"
    r"|(?:input_|audio_|image_)?features|hidden_states?|inputs_embeds|embeddings|noise|noisy\w*"
    r"|latents?|x_t|timesteps?|sigma|input_values"
)
# What may be given beside them, and is no ids either.
_BESIDES = re.compile(
    r"t|y|.*mask.*|(?:return|output|use|interpolate|bool|head)_\w+|\w*cache\w*|labels?|targets?"
    r"|class_labels|position_\w+|cond|kwargs|training|past_key_values?|layer_past|input_tensor"
    r"|(?:encoder|decoder|key_value)_(?:hidden_states?|outputs?|states?|inputs_embeds)|residual"
    r"|cu_seqlens?(?:_[qk])?|max_seqlens?(?:_[qk])?|top_k_(?:index|indices|weights)|\w+_thw|height"
    r"|width|patch_(?:height|width)|spatial_shapes\w*|reference_points|level_start_index"
)

_KNOWN: WeakKeyDictionary[ClassInfo, bool] = WeakKeyDictionary()


def embeds_ids(project: Project, info: ClassInfo) -> bool:
    """Whether a network, or a part of it, looks token ids up."""
    family = project.family(info)
    if any(map(is_language_model, project.external_bases(info))):
        return True
    tables = {
        name
        for part in family
        for name in part.attributes
        if any(last(called) == "Parameter" for called in part.attribute_called(name))
    }
    return any(
        _has_table(project, part)
        or (tables and any(_takes_rows(method, tables) for method in part.methods.values()))
        for part in family
    )


def _has_table(project: Project, part: ClassInfo) -> bool:
    """Whether the class, or a function that it calls, makes a table."""
    if part not in _KNOWN:  # asked for every model that it is a part of
        functions = [part.module.functions.get(name) for name in part.called]
        makers = [part.node, *(one for one in functions if one is not None)]
        _KNOWN[part] = any(looks_up_ids(project, part.module, one) for one in makers)
    return _KNOWN[part]


def looks_up_ids(project: Project, module: SourceModule, node: ast.AST) -> bool:
    """Whether a class or function makes a table of tokens, or a library's model with one."""
    return any(_is_table(project, module, call, label) for call, label in _labelled(node))


def _is_table(project: Project, module: SourceModule, call: ast.Call, label: str) -> bool:
    called = module.names.qualified(call.func) or ""
    name = last(called.removesuffix(".from_pretrained"))  # nn.Embedding.from_pretrained(vectors)
    if name == "one_hot":
        routed = "expert" in ast.unparse(call).lower()
        return bool(call.args) and getattr(call.args[0], "id", "") in ID_NAMES and not routed
    if not (name in EMBEDDINGS or _EMBEDDER.fullmatch(name) or makes_model(called, call)):
        return False
    # Asked last: whether a class is the project's may take a parse of other files.
    own = name not in EMBEDDINGS and project.class_named(called, module) is not None
    if name in EMBEDDINGS or (_EMBEDDER.fullmatch(name) and not own):
        size = ast.unparse(call.args[0]).lower() if call.args else ""
        other = _OTHER.fullmatch(label) or _OTHER_CLASS.fullmatch(name) or _OTHER_SIZE.search(size)
        return other is None
    return not own and makes_model(called, call)


def makes_model(called: str, call: ast.Call) -> bool:
    """Whether a call of a library makes a whole model that knows a vocabulary."""
    if is_language_model(called):
        return True
    named = {keyword.arg for keyword in call.keywords}
    name = last(called)
    return name[:1].isupper() and not VOCABULARY.isdisjoint(named) and not NO_MODEL.fullmatch(name)


def is_language_model(called: str) -> bool:
    """Whether a library's class or constructor is known for a language model by its name."""
    ends = (last(called), ".".join(called.split(".")[-2:]))
    return any(_LANGUAGE_MODEL.fullmatch(end) for end in ends)


def _labelled(tree: ast.AST) -> Iterator[tuple[ast.Call, str]]:
    """Each call with the name that its value is kept under: an attribute, a key, a variable."""
    stack = [(tree, "")]
    while stack:
        node, label = stack.pop()
        if isinstance(node, ast.Call):
            yield node, label
        stack += reversed(list(_below(node, label)))


def _below(node: ast.AST, label: str) -> Iterator[tuple[ast.AST, str]]:
    """What is directly in a node, with the name that it is kept under."""
    if isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            yield value, str(getattr(key, "value", label))
        return
    for child in inner_children(node):
        if isinstance(node, ast.Assign) and child is node.value:
            target = node.targets[0]
            yield child, getattr(target, "attr", "") or getattr(target, "id", "")
        else:
            named = child.arg if isinstance(child, ast.keyword) else None
            yield child, named or label


def _takes_rows(method: FunctionNode, tables: set[str]) -> bool:
    """Whether a method takes rows of a parameter by ids: `self.table[idx]`."""
    given = ID_NAMES.intersection(parameter_names(method))
    return any(
        isinstance(node, ast.Subscript)
        and getattr(node.slice, "id", None) in given
        and self_attribute(node.value) in tables
        for node in every_node(method)
    )


def last(name: str) -> str:
    """The last part of a dotted name."""
    return name.rpartition(".")[2]


def may_take_ids(project: Project, info: ClassInfo, entry: str) -> bool:
    """Whether the entry's parameters leave room for ids."""
    own = info.methods.get(entry)
    bases = bases_defining(project, info, entry) if own is None else iter(())
    method = own or next((one.methods[entry] for one in bases), None)
    names = parameter_names(method) if method is not None else []
    # The first name that may be ids, which is mostly the first or second of all, settles it.
    return not all(map(_is_no_id, names)) or not any(map(_is_sense, names))


@lru_cache(maxsize=4096)
def _is_sense(name: str) -> bool:
    return _NO_IDS.fullmatch(name) is not None


@lru_cache(maxsize=4096)
def _is_no_id(name: str) -> bool:
    return _is_sense(name) or _BESIDES.fullmatch(name) is not None
