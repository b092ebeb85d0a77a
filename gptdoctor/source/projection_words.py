"""What the words of a class say of a projection to a vocabulary: most have none, or half of it.

Each answer holds wherever the tree would say so, and in some other texts.  A word in a docstring,
in a comment or in a question such as `isinstance(module, nn.Linear)` is no call.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# Sizes with these in their names count tokens.
VOCABULARY = re.compile(r"vocab|n_?tokens?$|num_tokens|dictionary|num_embeddings|n_?words")
# Tables of these are indexed by something else than tokens.
NO_VOCABULARY = re.compile(r"expert|pos|len|ctx|block|type|segment|layer|context")

# No name is a size of tokens where a text has none of them.
_COUNTS = (
    *("vocab", "ntoken", "n_token", "num_tokens", "dictionary", "num_embeddings"),
    *("nwords", "n_words"),
)
# Calls: a bracket may close what is called, and a comment or a new line may follow it.
_CALL = r"\b[)\s]*[(\\#]"
# Each begins with a plain word, which a search finds fastest.
_LAYERS = {
    "Linear": re.compile(rf"Linear\w*{_CALL}"),
    "Conv1d": re.compile(rf"Conv1d{_CALL}"),
    "Dense": re.compile(rf"Dense{_CALL}"),
}
_TABLE = re.compile(rf"Embedding{_CALL}")
_NO_TABLE = re.compile(r"(?<!Parallel)(?<=\w)")
# A first argument that is a name, a chain of names or a number, and what follows it.
_SIZE = re.compile(r"\s*(?:\w+\s*\.\s*)*(\w+)\s*([^\w\s])")
# What follows the first part of a calculation, or the name of a keyword: then there is no size.
_NO_SIZE = frozenset("+-*/%=")
_WEIGHT = re.compile(r"""\.\s*weight\b(?!["'])""")
# What stands before the weight of a table; names are no longer than this.
_OF_TABLE = re.compile(r"(?i:emb|wte|tok)\w*[)\s]*\Z")
_LONGEST_NAME = 80


@dataclass(frozen=True, kw_only=True)
class Words:
    """What one class may do, as its words tell."""

    projects: bool  # makes a layer and counts tokens, or multiplies by the weight of a table
    layer: bool  # makes a layer
    table: bool  # makes a table that is indexed by something without a known name


def words_of(text: str) -> Words:
    """What the text of a class says."""
    layer = any(word in text and call.search(text) for word, call in _LAYERS.items())
    return Words(
        projects=(layer and _counts_tokens(text)) or _names_weight_of_table(text),
        layer=layer,
        table="Embedding" in text and _makes_table(text),
    )


def _counts_tokens(text: str) -> bool:
    return any(map(text.lower().__contains__, _COUNTS))


def _makes_table(text: str) -> bool:
    """Whether a table may have a size that only its equality with a layer's gives away."""
    calls = [one for one in _TABLE.finditer(text) if not _NO_TABLE.match(text, one.start())]
    # By keyword, it may stand anywhere among the arguments.
    return bool(calls) and ("num_embeddings" in text or any(map(_has_odd_size, calls)))


def _has_odd_size(call: re.Match[str]) -> bool:
    found = _SIZE.match(call.string, call.end()) if call.group().endswith("(") else None
    if found is None:
        return True
    name, after = found.group(1).lower(), found.group(2)
    if after not in ",)":
        return after not in _NO_SIZE
    # A layer whose size counts tokens projects, whatever tables there are.
    return not NO_VOCABULARY.search(name) and not VOCABULARY.search(name)


def _names_weight_of_table(text: str) -> bool:
    weights = _WEIGHT.finditer(text) if "weight" in text else ()
    return any(
        _OF_TABLE.search(text, max(0, one.start() - _LONGEST_NAME), one.start()) for one in weights
    )
