"""Configurations in the style of model hubs: nested, half told, with lists of an entry a layer."""

from __future__ import annotations

from pathlib import Path

import pytest

from gptdoctor.core.measurements.construction import Construction
from tests.specimen.making import build

NESTED = """
class TextConfig:
    def __init__(self, vocab_size=250000, hidden_size=8192, act="relu"):
        self.vocab_size, self.hidden_size, self.act = vocab_size, hidden_size, act

class OuterConfig:
    def __init__(self, text_config=None, scale: float = 1.0):
        self.text_config = TextConfig(act="silu") if text_config is None else text_config
        self.scale = scale

class Model(nn.Module):
    def __init__(self, config: OuterConfig):
        super().__init__()
        text = config.text_config
        assert text.act == "silu"
        self.wte = nn.Embedding(text.vocab_size, text.hidden_size)
        self.head = nn.Linear(text.hidden_size, text.vocab_size)

    def forward(self, input_ids):
        return self.head(self.wte(input_ids))
"""
ANY_OTHER = NESTED.replace(
    "class TextConfig:", "class AnyConfig:\n    pass\n\nclass TextConfig(AnyConfig):"
).replace(
    "class OuterConfig:\n    def __init__(self, text_config=None,",
    "class OuterConfig(AnyConfig):\n    def __init__(self, text_config: AnyConfig | None = None,",
)
LEFT_OUT = """
class ToyConfig:
    def __init__(self, vocab_size=32000, hidden_size=4096, num_experts: int | None = None):
        self.vocab_size, self.hidden_size, self.num_experts = vocab_size, hidden_size, num_experts

class Model(nn.Module):
    def __init__(self, config: ToyConfig):
        super().__init__()
        self.wte = nn.Embedding(config.vocab_size, config.hidden_size)
        self.gate = nn.Linear(config.hidden_size, config.num_experts)
        self.head = nn.Linear(config.hidden_size, config.vocab_size)

    def forward(self, input_ids):
        x = self.wte(input_ids)
        return self.head(x * self.gate(x).softmax(-1).amax(-1, keepdim=True))
"""
KINDS = """
KINDS = ["local", "local", "global"] * 4

class ToyConfig:
    def __init__(self, vocab_size=32000, hidden_size=4096, num_layers=12, kinds=tuple(KINDS)):
        if len(kinds) != num_layers:
            raise ValueError("one kind for each layer")
        self.vocab_size, self.hidden_size, self.kinds = vocab_size, hidden_size, kinds

class Model(nn.Module):
    def __init__(self, config: ToyConfig):
        super().__init__()
        self.wte = nn.Embedding(config.vocab_size, config.hidden_size)
        self.h = nn.ModuleList(nn.Linear(config.hidden_size, config.hidden_size)
                               for _ in config.kinds)
        self.head = nn.Linear(config.hidden_size, config.vocab_size)

    def forward(self, input_ids):
        x = self.wte(input_ids)
        for layer in self.h:
            x = x + layer(x)
        return self.head(x)
"""
CACHED = """
class Model(nn.Module):
    def __init__(self, vocab_size=32000, hidden_size=4096):
        super().__init__()
        self.wte = nn.Embedding(vocab_size, hidden_size)
        self.head = nn.Linear(hidden_size, vocab_size)

    def forward(self, input_ids, use_cache: bool = True):
        if use_cache:
            raise ValueError("this mixture of layers keeps no cache")
        return self.head(self.wte(input_ids))
"""
HUGE = """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.wte = nn.Embedding(250000, 16384)
        self.h = nn.ModuleList(nn.Linear(16384, 16384) for _ in range(1000))

    def forward(self, input_ids):
        return self.wte(input_ids)
"""


def built(folder: Path, text: str) -> Construction:
    """The construction of `Model`, which is to be built."""
    construction, _ = build(folder, text)
    assert construction.outcome == "built", construction
    return construction


@pytest.mark.parametrize("text", [NESTED, ANY_OTHER], ids=["untold", "told-as-any-other"])
def test_a_configuration_that_makes_its_own_parts_gets_small_ones_like_them(
    tmp_path: Path, text: str
) -> None:
    """The inner one would be made at full size; what is no size stays as the outer one sets it."""
    construction = built(tmp_path, text)
    assert construction.parameters < 100_000
    assert "TextConfig(vocab_size=97" in construction.build
    assert "act='silu'" in construction.build


def test_a_size_that_none_leaves_out_is_given_where_the_model_needs_it(tmp_path: Path) -> None:
    """`int | None = None` mostly means that the model derives it; this one does not."""
    assert "num_experts=" in built(tmp_path, LEFT_OUT).build


def test_lists_with_an_entry_a_layer_keep_the_depth(tmp_path: Path) -> None:
    """Two layers do not fit twelve kinds; twelve tiny layers do."""
    construction = built(tmp_path, KINDS)
    assert "num_layers=2" not in construction.build
    assert "hidden_size=64" in construction.build


def test_a_cache_is_switched_off_where_the_call_fails_with_it(tmp_path: Path) -> None:
    """A training step keeps none."""
    assert "use_cache=False" in built(tmp_path, CACHED).call


@pytest.mark.parametrize("text", [HUGE], ids=["no sizes to change"])
def test_what_cannot_be_made_small_is_never_made(tmp_path: Path, text: str) -> None:
    """270 billion parameters: the making ends within the first layers, and says so."""
    construction, specimen = build(tmp_path, text)
    assert construction.outcome == "not-built"
    assert specimen is None
    assert "parameters or more" in " ".join(construction.tried)


PRESET = """
SIZES = {"base": dict(width=4096, depth=48), "nano": dict(width=48, depth=3)}

class Model(nn.Module):
    def __init__(self, vocab_size, size: str = "base"):
        super().__init__()
        width, depth = SIZES[size]["width"], SIZES[size]["depth"]
        self.wte = nn.Embedding(vocab_size, width)
        self.h = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.head = nn.Linear(width, vocab_size)

    def forward(self, input_ids):
        x = self.wte(input_ids)
        for layer in self.h:
            x = x + layer(x)
        return self.head(x)
"""
ABSTRACT = """
from abc import ABC, abstractmethod

class Tokenizer(ABC):
    @abstractmethod
    def size(self): ...

class Letters(Tokenizer):
    def size(self):
        return 97

class Model(nn.Module):
    def __init__(self, tokenizer: Tokenizer, width: int = 4096):
        super().__init__()
        self.wte = nn.Embedding(tokenizer.size(), width)
        self.head = nn.Linear(width, tokenizer.size())

    def forward(self, input_ids):
        return self.head(self.wte(input_ids))
"""


@pytest.mark.parametrize(("text", "given"), [(PRESET, "size='nano'"), (ABSTRACT, "Letters()")])
def test_what_the_file_offers_is_chosen_from(tmp_path: Path, text: str, given: str) -> None:
    """The smallest of its named sizes, and a class that can be made of an abstract one."""
    construction = built(tmp_path, text)
    assert given in construction.build
    assert construction.parameters < 100_000
