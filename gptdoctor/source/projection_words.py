"""What the words of a class say of a projection to a vocabulary: most have none, or half of it.

Each answer holds wherever the tree would say so, and in some other texts.  A word in a docstring,
in a comment or in a question such as `isinstance(module, nn.Linear)` is no call.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

# Sizes with these in their names count tokens.
VOCABULARY = re.compile(r"vocab|n_?tokens?$|num_tokens|dictionary|num_embeddings|n_?words")
# Tables of these are indexed by something else than tokens.
NO_VOCABULARY = re.compile(r"expert|pos|len|ctx|block|type|segment|layer|context|user|item|movie")

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
_MARK = re.compile(r"[()\[\]\"'#]")
_NAME = re.compile(r"\w+")
_ODD = re.compile(r"\d+[^\W\d]\w*")  # 50_000 is 50000
# A first argument that is a name, a chain of names or a whole number, and what follows it.
_SIZE = re.compile(r"\s*(?:(?:[^\W\d]\w*\s*\.\s*)*([^\W\d]\w*)|(\d+))\s*([^\w\s])")
# What follows the first part of a calculation, or the name of a keyword: then there is no size.
_NO_SIZE = frozenset("+-*/%=")
_WEIGHT = re.compile(r"""weight\b(?!["'])""")
# What stands before the weight of a table; it is no longer than this.
_OF_TABLE = re.compile(r"(?i:emb|wte|tok)\w*[)\s\\]*\.\Z")
_LONGEST_NAME = 100
_GAP = " \t\n\r\f\v\\"  # a line may end between the parts of a name


# Stands for any size: a text does not say it plainly.
ANY = "*"


@dataclass(frozen=True, kw_only=True)
class Words:
    """What one class may do, as its words tell."""

    projects: bool  # makes a layer of a size that counts tokens, or multiplies by a table's weight
    tables: frozenset[str]  # the sizes of tables, but those that names give away


def words_of(text: str) -> Words:
    """What the text of a class says."""
    return Words(
        projects=_counts_tokens(text) or names_weight_of_table(text),
        tables=frozenset(_sizes_of_tables(text)) if "Embedding" in text else frozenset(),
    )


def layers_of(text: str) -> frozenset[str]:
    """The words among the arguments of the layers that the text of a class makes."""
    return frozenset(_words_of_layers(text))


def fit(tables: frozenset[str], layers: frozenset[str]) -> bool:
    """Whether a layer may be of the size of a table."""
    if not tables or not layers:
        return False
    return ANY in layers or ANY in tables or not layers.isdisjoint(tables)


def _words_of_layers(text: str) -> Iterator[str]:
    for word, pattern in _LAYERS.items():
        for call in pattern.finditer(text) if word in text else ():
            given = _arguments(call)
            if given is None:
                yield ANY
            else:
                yield from (ANY if _ODD.fullmatch(one) else one for one in _NAME.findall(given))


def _arguments(call: re.Match[str]) -> str | None:
    """What stands between the brackets of a call; None where quotes or comments may hide some."""
    text, begin = call.string, call.end()
    depth = 1
    if not call.group().endswith("("):
        return None
    for mark in _MARK.finditer(text, begin):
        if mark.group() in "\"'#":
            return None
        depth += 1 if mark.group() in "([" else -1
        if depth == 0:
            return text[begin : mark.start()]
    return None


def _counts_tokens(text: str) -> bool:
    if not _says_count(text):  # no more can be said of most classes
        return False
    layers = layers_of(text)
    return ANY in layers or _says_count(" ".join(layers))


def _says_count(words: str) -> bool:
    return any(map(words.lower().__contains__, _COUNTS))


def _sizes_of_tables(text: str) -> Iterator[str]:
    """The sizes that only their equality with a layer's gives away."""
    for call in _TABLE.finditer(text):
        if not _NO_TABLE.match(text, call.start()):
            # By keyword, it may stand anywhere among the arguments.
            size = ANY if "num_embeddings" in text else _size(call)
            if size is not None:
                yield size


def _size(call: re.Match[str]) -> str | None:
    """The first argument of a table's, where it may be a size that tells nothing by its name."""
    found = _SIZE.match(call.string, call.end()) if call.group().endswith("(") else None
    if found is None:
        return ANY
    name, number, after = found.groups()
    if after not in ",)":
        return None if after in _NO_SIZE else ANY
    # A layer whose size counts tokens projects, whatever tables there are.
    if number or NO_VOCABULARY.search(name.lower()) or VOCABULARY.search(name.lower()):
        return number
    return name


def names_weight_of_table(text: str) -> bool:
    """Whether a text may read the weight of a table: `self.wte.weight`."""
    for weight in _WEIGHT.finditer(text):
        before = text[max(0, weight.start() - _LONGEST_NAME) : weight.start()].rstrip(_GAP)
        if before.endswith(".") and _OF_TABLE.search(before):
            return True
    return False
