"""Constructors of many styles, and the three outcomes that are kept apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.specimen.making import build

BODY = """
        super().__init__()
        self.wte = nn.Embedding({vocabulary}, {width})
        self.wpe = nn.Embedding({context}, {width})
        layer = nn.TransformerEncoderLayer({width}, {heads}, 2 * {width}, 0.0, batch_first=True)
        self.h = nn.TransformerEncoder(layer, {layers}, enable_nested_tensor=False)
        self.head = nn.Linear({width}, {vocabulary})

    def forward(self, idx):
        T = idx.size(1)
        mask = nn.Transformer.generate_square_subsequent_mask(T)
        return self.head(self.h(self.wte(idx) + self.wpe.weight[:T], mask))
"""


def body(pattern: str, words: str = "vocab_size n_embd block_size n_head n_layer") -> str:
    """A small transformer that reads its sizes as `pattern` says, under the names in `words`."""
    roles = ["vocabulary", "width", "context", "heads", "layers"]
    return BODY.format(**{r: pattern.format(w) for r, w in zip(roles, words.split(), strict=True)})


FIELDS = """\
    vocab_size: int = 50257
    n_embd: int = 12288
    block_size: int = 2048
    n_head: int = 96
    n_layer: int = 96
"""
CONSTANTS = FIELDS.replace(": int", "")
STYLES = {
    "keywords": "class Model(nn.Module):\n    def __init__(self, vocab_size=50257, n_embd=12288, "
    "block_size=2048, n_head=96, n_layer=96):" + body("{}"),
    "required": "class Model(nn.Module):\n"
    "    def __init__(self, vocab, dim, max_len, heads, depth):"
    + body("{}", "vocab dim max_len heads depth"),
    "none-for-required": "class Model(nn.Module):\n    def __init__(self, vocab_size: int = None, "
    "d_model: int = None, max_len: int = 9, h: int = 4, depth: int = 2):"
    + body("{}", "vocab_size d_model max_len h depth"),
    "annotated-dataclass": f"@dataclass\nclass Sizes:\n{FIELDS}\n"
    "class Model(nn.Module):\n    def __init__(self, sizes: 'Sizes'):" + body("sizes.{}"),
    "dataclass-by-name": f"@dataclass\nclass GPTConfig:\n{FIELDS}\n"
    "class Model(nn.Module):\n    def __init__(self, config):" + body("config.{}"),
    "default-instance": f"@dataclass\nclass GPTConfig:\n{FIELDS}\n"
    "class Model(nn.Module):\n    def __init__(self, config=GPTConfig()):" + body("config.{}"),
    "optional-config": f"@dataclass\nclass GPTConfig:\n{FIELDS}\n"
    "class Model(nn.Module):\n    def __init__(self, config: GPTConfig | None = None):\n"
    "        config = config or GPTConfig()" + body("config.{}"),
    "nested-dataclass": f"@dataclass\nclass Inner:\n{FIELDS}\n@dataclass\nclass Outer:\n"
    "    inner: Inner = field(default_factory=Inner)\n\n"
    "class Model(nn.Module):\n    def __init__(self, o: Outer):" + body("o.inner.{}"),
    "class-constants": f"class Config:\n{CONSTANTS}\n"
    "class Model(nn.Module):\n    def __init__(self, config):" + body("config.{}"),
    "constants-and-overrides": f"class Config:\n{CONSTANTS}\n"
    "    def __init__(self, **kw):\n"
    "        for k, v in kw.items():\n            setattr(self, k, v)\n"
    "\nclass Model(nn.Module):\n    def __init__(self, config):" + body("config.{}"),
    "attributes-set-in-init": "class Config:\n    def __init__(self):\n"
    + CONSTANTS.replace("    ", "        self.")
    + "\nclass Model(nn.Module):\n    def __init__(self, config):"
    + body("config.{}"),
    "dictionary": "class Model(nn.Module):\n    def __init__(self, cfg):" + body("cfg['{}']"),
    "dictionary-with-get": "class Model(nn.Module):\n    def __init__(self, cfg):\n"
    "        drop = cfg.get('dropout', 0.1)\n        assert not cfg.get('bias', False)"
    + body("cfg['{}']"),
    "namespace": "class Model(nn.Module):\n    def __init__(self, config):\n"
    "        assert config.model_type is None" + body("config.{}"),
    "nested-namespace": "class Model(nn.Module):\n    def __init__(self, cfg):"
    + body("cfg.model.{}"),
    "computed-keys": "class Model(nn.Module):\n    def __init__(self, cfg):"
    + body(
        "cfg[{}]", "'vocab_size' 'n_embd' 'block_size' 'n_'+'head' 'n_'+'layer'"
    ),  # the text does not show them: the crashes do
    "module-constants": f"{CONSTANTS.replace('    ', '')}\n"
    "class Model(nn.Module):\n    def __init__(self):" + body("{}"),
    "object-at-the-top": f"@dataclass(frozen=True)\nclass Sizes:\n{FIELDS}\nS = Sizes()\n\n"
    "class Model(nn.Module):\n    def __init__(self):" + body("S.{}"),
    "class-at-the-top": f"class Sizes:\n{CONSTANTS}\n"
    "class Model(nn.Module):\n    def __init__(self):" + body("Sizes.{}"),
    "dictionary-at-the-top": "CFG = dict(vocab_size=50257, n_embd=12288, block_size=2048, "
    "n_head=96, n_layer=96)\n\nclass Model(nn.Module):\n    def __init__(self):"
    + body("CFG['{}']"),
    "class-as-default": f"class Sizes:\n{CONSTANTS}\n    head_dim = n_embd // n_head\n\n"
    "class Model(nn.Module):\n    def __init__(self, hp=Sizes):\n"
    "        assert hp.head_dim * hp.n_head == hp.n_embd" + body("hp.{}"),
    "named-tuple": f"class Shape(typing.NamedTuple):\n{FIELDS}\n"
    "class Model(nn.Module):\n    def __init__(self, shape: Shape):" + body("shape.{}"),
    "plain-class": "class Shape:\n    def __init__(self, vocab_size, n_embd, block_size, n_head, "
    "n_layer):\n        vars(self).update({k: v for k, v in locals().items() if k != 'self'})\n\n"
    "class Model(nn.Module):\n    def __init__(self, shape: Shape):" + body("shape.{}"),
    "parsed-arguments": "class Model(nn.Module):\n    def __init__(self, args: argparse.Namespace):"
    + body("args.{}"),
    "parts-of-a-dictionary": "class Model(nn.Module):\n    def __init__(self, config):\n"
    "        model = config['net']['model']" + body("model['{}']"),
    "kwargs-over-a-table": "DEFAULTS = dict(vocab_size=50257, n_embd=12288, block_size=2048, "
    "n_head=96, n_layer=96)\n\nclass Model(nn.Module):\n    def __init__(self, **hyper):\n"
    "        hp = DEFAULTS | hyper" + body("hp['{}']"),
    "kwargs-read": "class Model(nn.Module):\n    def __init__(self, **kwargs):"
    + body("kwargs['{}']"),
    "odd-types": "class Kind(enum.Enum):\n    ROPE = 1\n    NONE = 2\n\nclass Model(nn.Module):\n"
    "    def __init__(self, kind: Kind, eps: float, dtype: torch.dtype, act: str, causal: bool, "
    "loss_fn, vocab_size, n_embd, block_size, n_head, n_layer):\n"
    "        assert kind is Kind.ROPE and eps < 0.1 and dtype.is_floating_point and act == 'gelu'\n"
    "        assert callable(loss_fn)" + body("{}"),
    "part-as-argument": "class Front(nn.Module):\n    def __init__(self, vocab_size=50257, "
    "n_embd=12288):\n        super().__init__()\n"
    "        self.e = nn.Embedding(vocab_size, n_embd)\n\nclass Model(nn.Module):\n"
    "    def __init__(self, front: Front, vocab_size, n_embd, block_size, n_head, n_layer):"
    + body("{}"),
}


@pytest.mark.parametrize("style", STYLES)
def test_a_constructor_of_any_style_gives_a_tiny_model(tmp_path: Path, style: str) -> None:
    """Never with the defaults: those of these classes have billions of parameters."""
    construction, made = build(tmp_path, STYLES[style])
    assert construction.outcome == "built", construction.tried
    assert made is not None
    assert 10_000 < construction.parameters < 200_000
    assert (construction.batch, construction.length) == (3, 7)


@pytest.mark.parametrize("style", STYLES)
def test_the_code_that_built_it_builds_it_again(tmp_path: Path, style: str) -> None:
    """A user can paste it, and a proof uses it to make the same specimen."""
    first, _ = build(tmp_path, STYLES[style])
    again, made = build(tmp_path, STYLES[style], build=first.build)
    assert made is not None
    assert (again.outcome, again.parameters) == ("built", first.parameters)
    assert again.build == first.build


def test_the_same_seed_gives_the_same_weights(tmp_path: Path) -> None:
    """Two runs can be compared."""
    weights = []
    for _ in range(2):
        _, made = build(tmp_path, STYLES["keywords"])
        assert made is not None
        weights.append(made.model.head.weight)
    assert (weights[0] == weights[1]).all()


IMPORT = "import pathlib\n\nclass"
SIMPLE = "class Model(nn.Module):\n    def __init__(self, vocab_size=50257, dim=4096):\n"
FORWARD = """
        super().__init__()
        self.e = nn.Embedding(vocab_size, dim)
        self.out = nn.Linear(dim, vocab_size)

    def forward(self, idx):
        return self.out(self.e(idx))
"""


def test_a_constructor_that_fails_on_its_own_has_crashed(tmp_path: Path) -> None:
    """An undefined name is the user's, at every size: with its line."""
    construction, made = build(tmp_path, SIMPLE + "        self.depth = undefined" + FORWARD)
    assert made is None
    assert construction.outcome == "crashed"
    assert construction.crash is not None
    assert construction.crash.kind == "NameError"
    assert construction.crash.line == 8
    assert construction.crash.symbol == "Model.__init__"


@pytest.mark.parametrize(
    "text",
    [
        SIMPLE + "        assert dim > 1_000_000" + FORWARD,
        SIMPLE + "        if dim != 300_000: raise ValueError('300 000 or nothing')" + FORWARD,
        SIMPLE.replace("self,", "self, folder: pathlib.Path,").replace("class", IMPORT)
        + FORWARD[1:],
        SIMPLE.replace("self,", "self, texts_folder,") + "        open(texts_folder)" + FORWARD,
    ],
    ids=["asserts", "raises", "wants-an-object-of-a-foreign-class", "wants-a-folder"],
)
def test_what_refuses_our_guess_is_not_built(tmp_path: Path, text: str) -> None:
    """The tool does not know how: that is no fault of the model."""
    construction, made = build(tmp_path, text)
    assert made is None
    assert (construction.outcome, construction.crash) == ("not-built", None)
    assert construction.tried


def test_a_second_variant_serves_what_the_first_does_not(tmp_path: Path) -> None:
    """And says which sizes did not work."""
    text = SIMPLE + "        assert bin(vocab_size).count('1') == 1" + FORWARD
    construction, _ = build(tmp_path, text)
    assert construction.outcome == "built"
    assert construction.vocabulary == 128
    assert construction.tried


def test_an_unusable_class_is_said_to_be_so(tmp_path: Path) -> None:
    """A class that does not exist, one that is no module, and one that stays too large."""
    for text in (
        "",
        "class Model: pass",
        "class Model(nn.Module):\n    def __init__(self):\n"
        "        super().__init__()\n        self.w = nn.Linear(5000, 5000)",
    ):
        construction, made = build(tmp_path, text)
        assert made is None
        assert construction.outcome == "not-built"
        assert construction.tried


def test_a_broken_build_expression_is_told(tmp_path: Path) -> None:
    """What the user asked for is tried, and nothing else."""
    construction, made = build(tmp_path, SIMPLE + FORWARD[1:], build="Model(nothing=1)")
    assert made is None
    assert construction.outcome == "not-built"
    assert "nothing" in construction.tried[0]


def test_a_forward_that_fails_at_every_shape_has_crashed(tmp_path: Path) -> None:
    """There is an instance for the probes that do not run it, and the line for the others."""
    broken = FORWARD.replace("self.out(self.e(idx))", "self.out(self.e(idx)) + undefined")
    construction, made = build(tmp_path, SIMPLE + broken[1:])
    assert made is not None
    assert construction.outcome == "crashed"
    assert construction.crash is not None
    assert (construction.crash.stage, construction.crash.kind) == ("forward", "NameError")


def test_a_model_that_runs_only_where_batch_and_length_agree_is_built_there(tmp_path: Path) -> None:
    """Its defect is for the probes to show; they need a call that works."""
    mixed = FORWARD.replace(
        "self.out(self.e(idx))",
        "self.out(self.e(idx) * self.e(idx).mT.sum(1)"
        ".unsqueeze(1).mean(-1, keepdim=True) + self.e(idx.T))",
    )
    construction, made = build(tmp_path, SIMPLE + mixed[1:])
    assert made is not None
    assert (construction.outcome, construction.batch, construction.length) == ("built", 5, 5)


def test_a_module_that_takes_no_ids_is_not_held_to_have_crashed(tmp_path: Path) -> None:
    """Given ids for what may be activations, it fails by our fault."""
    text = (
        "class Model(nn.Module):\n    def __init__(self, dim=64):\n        super().__init__()\n"
        "        self.f = nn.Bilinear(dim, dim, dim)\n\n"
        "    def forward(self, x):\n        return self.f(x, x[:, :, None])\n"
    )
    construction, made = build(tmp_path, text)
    assert made is not None
    assert (construction.outcome, construction.crash) == ("not-built", None)
