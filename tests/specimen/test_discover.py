"""Which classes and functions of a text are taken for main models."""

from __future__ import annotations

from pathlib import Path

import pytest

from gptdoctor.core.specimens import ModelTarget
from gptdoctor.source.module import SourceModule
from gptdoctor.source.project import Project
from gptdoctor.specimen.discover import discover

HEAD = "import torch\nfrom torch import nn\nfrom torch.nn import functional as F\n"
FORWARD = "    def forward(self, ids): return self.head(self.emb(ids))\n"
BODY = (
    "    def __init__(self, vocab_size, dim):\n        super().__init__()\n"
    "        self.emb = nn.Embedding(vocab_size, dim)\n"
    "        self.head = nn.Linear(dim, vocab_size)\n"
)
MODEL = f"class Model(nn.Module):\n{BODY}{FORWARD}"


def found(folder: Path, *texts: str) -> list[ModelTarget]:
    """The targets in files of these texts."""
    files = [folder / f"m{number}.py" for number in range(len(texts))]
    for file, text in zip(files, texts, strict=True):
        file.write_text(HEAD + text)
    project = Project(root=folder)
    modules = [project.read(file) for file in files]
    return discover(project, [one for one in modules if isinstance(one, SourceModule)])


def names(folder: Path, *texts: str) -> list[str]:
    """Their names."""
    return [target.name for target in found(folder, *texts)]


@pytest.mark.parametrize(
    "text",
    [
        MODEL,
        MODEL.replace("nn.Module", "nn.Module, abc.ABC, Generic[T]"),
        MODEL.replace("nn.Module", "pl.LightningModule"),
        MODEL.replace("nn.Module", "GPT2PreTrainedModel, GenerationMixin"),
        MODEL.replace("nn.Module", "MegatronModule"),  # of a package that is not here
        MODEL.replace("nn.Embedding(", "VocabParallelEmbedding("),
        MODEL.replace("nn.Embedding(vocab_size, dim)", "nn.Embedding.from_pretrained(vectors)"),
        MODEL.replace("nn.Embedding(vocab_size, dim)", "nn.Parameter(torch.randn(vocab_size, dim))")
        .replace("self.emb(ids)", "self.emb[ids]"),
        MODEL.replace("self.emb(ids)", "F.embedding(ids, self.table)").replace("self.emb =", "x ="),
        MODEL.replace("self.emb(ids)", "F.one_hot(ids, 97).float()").replace("nn.Emb", "nn.Lin"),
        "class Model(nn.Sequential):\n    def __init__(self, v, d):\n"
        "        super().__init__(nn.Embedding(v, d), nn.Linear(d, v))\n",
        "class Model(GPT2LMHeadModel):\n    def __init__(self, c): super().__init__(c)\n",
        f"try:\n    import fast\nexcept ImportError:\n    fast = None\nif True:\n"
        f"    {MODEL.replace(chr(10), chr(10) + '    ')}\n",
    ],
)  # fmt: skip
def test_a_network_that_looks_ids_up_is_a_model(tmp_path: Path, text: str) -> None:
    """Whatever its base is, and however it turns ids into vectors."""
    assert names(tmp_path, text) == ["Model"]


@pytest.mark.parametrize(
    "text",
    [
        MODEL.replace("nn.Embedding", "nn.Linear"),  # a backbone
        MODEL.replace("self.emb =", "self.position_embedding =").replace("self.emb(", "self.head("),
        MODEL.replace(
            "vocab_size, dim)\n        self.head", "num_classes, dim)\n        self.head"
        ),
        MODEL.replace("ids)", "pixel_values)"),
        MODEL.replace("nn.Module", "object"),
        "def config(v=9): return GPTConfig(vocab_size=v)\n",
        "def tokens(v=9): return BpeTokenizer(vocab_size=v)\n",
        "def load(): return AutoModelForCausalLM.from_pretrained('gpt2')\n",
        "def head(v, d): return nn.Sequential(nn.Linear(d, v))\n",
    ],
)
def test_what_takes_no_ids_is_none(tmp_path: Path, text: str) -> None:
    """Positions and classes of pictures are looked up too; configurations know a vocabulary."""
    assert names(tmp_path, text) == []


def test_parts_of_models_are_none(tmp_path: Path) -> None:
    """Not even in another file; what a class that is no model uses stays a main one."""
    wrapper = "from m0 import Model\nclass Wrapper(nn.Module):\n    def __init__(self):\n"
    wrapper += "        super().__init__()\n        self.model = Model(9, 9)\n"
    entry = "    def forward(self, ids): return self.model(ids)\n"
    assert names(tmp_path, MODEL, wrapper + entry) == ["Wrapper"]
    assert names(tmp_path, MODEL, wrapper) == ["Model"]
    assert names(tmp_path, MODEL + "class Trainer:\n    def f(self): Model(9, 9)\n") == ["Model"]


def test_two_main_models_in_one_file(tmp_path: Path) -> None:
    """Both are examined."""
    assert names(tmp_path, MODEL + MODEL.replace("Model", "Other")) == ["Model", "Other"]


def test_a_child_that_sets_sizes_alone_is_examined_with_its_base(tmp_path: Path) -> None:
    """One that adds something is a model of its own, and so is one of an unfinished base."""
    small = "class Small(Model):\n    def __init__(self): super().__init__(9, 9)\n"
    assert names(tmp_path, MODEL + small) == ["Model"]
    assert names(tmp_path, MODEL + small + FORWARD) == ["Model", "Small"]
    assert names(tmp_path, f"class Model(nn.Module):\n{BODY}{small}{FORWARD}") == ["Small"]


def test_heads_for_other_tasks_come_with_the_language_model(tmp_path: Path) -> None:
    """Alone in a file they are what there is."""
    other = MODEL.replace("class Model", "class ModelForSequenceClassification")
    assert names(tmp_path, MODEL + other) == ["Model"]
    assert names(tmp_path, other) == ["ModelForSequenceClassification"]


COMPOSED = """\
class Decoder(nn.Module):
    def __init__(self, emb: nn.Embedding, layers: nn.ModuleList, head: nn.Module):
        super().__init__()
        self.emb, self.layers, self.head = emb, layers, head
    def forward(self, ids): return self.head(self.emb(ids))
    @classmethod
    def small(cls, v=9): return cls(nn.Embedding(v, 8), nn.ModuleList(), nn.Linear(8, v))
"""
FACTORY = """\
def build(vocab_size, dim, depth=9):
    layers = nn.ModuleList(nn.Linear(dim, dim) for _ in range(depth))
    model = Decoder(nn.Embedding(vocab_size, dim), layers, nn.Linear(dim, vocab_size))
    return model.to("cpu")
def build_7b(): return build(32000, 4096, 32)
"""


def test_a_model_that_is_given_its_layers_is_asked_of_a_factory(tmp_path: Path) -> None:
    """Of the function that leaves most to its caller, else of a class method."""
    [target] = found(tmp_path, COMPOSED + FACTORY)
    assert (target.name, target.factory, target.entry) == ("build", True, "forward")
    assert target.family == ("m0.py::build", "m0.py::Decoder")
    [target] = found(tmp_path, COMPOSED)
    assert (target.name, target.factory) == ("Decoder.small", True)


def test_a_class_that_can_be_built_is_not_examined_through_a_factory(tmp_path: Path) -> None:
    """Its constructor takes sizes."""
    factory = "def build(vocab_size=9): return Model(vocab_size, 8)\n"
    assert names(tmp_path, MODEL + factory) == ["Model"]


@pytest.mark.parametrize(
    "made",
    [
        "nn.Sequential(nn.Embedding(v, d), nn.Linear(d, v))",
        "TransformerWrapper(num_tokens=v, max_seq_len=8, attn_layers=Decoder(dim=d))",
        "AutoregressiveWrapper(TransformerWrapper(num_tokens=v, attn_layers=Decoder(dim=d)))",
        "GPT2LMHeadModel(GPT2Config(vocab_size=v))",
        "AutoModelForCausalLM.from_config(d)",
    ],
)
def test_a_function_that_composes_a_librarys_classes(tmp_path: Path, made: str) -> None:
    """There is no class of the user's to ask for."""
    imports = "from x_transformers import TransformerWrapper, AutoregressiveWrapper, Decoder\n"
    [target] = found(tmp_path, f"{imports}def build(v, d):\n    return {made}\n")
    assert (target.name, target.factory) == ("build", True)


def test_a_function_that_makes_a_part_is_no_model(tmp_path: Path) -> None:
    """A network that calls it is the model."""
    part = "def embed(v, d): return nn.Sequential(nn.Embedding(v, d), nn.Linear(d, d))\n"
    assert names(tmp_path, part) == ["embed"]
    assert names(tmp_path, part + MODEL.replace("nn.Embedding(", "embed(")) == ["Model"]
