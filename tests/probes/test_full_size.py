"""Models at the sizes that their own files name: counted and run without being allocated."""

from __future__ import annotations

import resource
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.fx.experimental.symbolic_shapes
from torch import nn

from gptdoctor.core.measurements.full_size import Configuration, FullSize
from gptdoctor.probes.full_size import measure, parameter_bytes
from gptdoctor.probes.instruments import fake_tensors
from tests.specimen.making import build, specimen

# A network whose middle is told by each test; at its defaults 0.5 thousand million parameters.
SIZES = "vocab_size=32000, dim=4096, max_len=512, heads=32, depth=1"
NETWORK = """
class Model(nn.Module):
    def __init__(self, {sizes}):
        super().__init__()
        {first}
        self.embed = nn.Embedding(vocab_size, dim)
        self.places = nn.Embedding(max_len, dim)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(dim, heads, 4 * dim, 0.0, batch_first=True)
            for _ in range(depth)
        )
        self.head = nn.Linear(dim, vocab_size)
        {last}

    def forward(self, ids):
        x = self.embed(ids) + self.places(torch.arange(ids.shape[1]))
        for layer in self.layers:
            x = layer(x)
        {middle}
        return self.head(x)
"""


def network(sizes: str = SIZES, first: str = "", last: str = "", middle: str = "") -> str:
    """The text of a network with some statements in it."""
    return NETWORK.format(
        sizes=sizes, first=first or "pass", last=last or "pass", middle=middle or "pass"
    )


def measured(folder: Path, text: str) -> FullSize:
    """What the probe finds of class `Model`."""
    return measure(specimen(folder, text))


def default(folder: Path, text: str) -> Configuration:
    """What the probe finds of the default of class `Model`."""
    [found] = measured(folder, text).configurations
    assert found.name == "default"
    return found


def test_bytes_follow_the_dtype_count_ties_once_and_leave_out_what_is_frozen() -> None:
    """fp32 takes 4, 4 and 8 bytes a weight; bf16 half of it; a frozen weight only its own."""
    model = nn.Module()
    model.a = nn.Linear(10, 10, bias=False)
    model.tied = nn.Linear(10, 10, bias=False)
    model.tied.weight = model.a.weight
    model.short = nn.Parameter(torch.zeros(6, dtype=torch.bfloat16))
    model.frozen = nn.Parameter(torch.zeros(5), requires_grad=False)
    assert parameter_bytes(model) == (400 + 12 + 20, 400 + 12, 800 + 24)


def test_thousands_of_millions_are_counted_and_run_without_memory(tmp_path: Path) -> None:
    """26 GB of weights are counted exactly; the process that runs them takes no GiB more."""
    sizes = "vocab_size=50257, dim=4096, max_len=2048, heads=32, depth=32"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    one = default(tmp_path, network(sizes))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    layer = 4 * 4096 * 4096 + 4 * 4096 + 8 * 4096 * 4096 + 5 * 4096 + 4 * 4096  # with its norms
    count = 2 * 50257 * 4096 + 50257 + 2048 * 4096 + 32 * layer
    assert one.parameters == count
    assert (one.weight_bytes, one.gradient_bytes) == (4 * count, 4 * count)
    assert one.adamw_bytes == 8 * count
    assert (one.outcome, one.reached, one.reason) == ("ok", "backward", "")
    assert one.logits_shape == (3, 2048, 50257)
    # Nothing is larger than the logits, of which cross-entropy makes more of the same size.
    assert one.largest_intermediate_bytes == 4 * 3 * 2048 * 50257
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert used < 5
    # A child is a copy of this process, which may have grown by other tests.
    copied = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    grown = after.ru_maxrss - max(before.ru_maxrss, copied)
    unit = 1 if sys.platform == "darwin" else 1024
    assert grown * unit < 1 << 30


NAMED = """
@dataclass
class Config:
    vocab_size: int = 32000
    n_embd: int = 1024
    block_size: int = 128
    n_layer: int = 2

    @classmethod
    def large(cls):
        return cls(n_embd=4096)

    @classmethod
    def nano(cls):
        return cls(vocab_size=80, n_embd=32)

    @classmethod
    def from_pretrained_hub(cls):
        raise SystemExit("would download")

config_wide = Config(n_embd=2048)
SIZES = {"huge": dict(n_embd=8192, n_layer=4), "other": dict(speed=3, colour=4)}

class Model(nn.Module):
    def __init__(self, config: Config):
        super().__init__()
        self.embed = nn.Embedding(config.vocab_size, config.n_embd)
        self.layers = nn.ModuleList(
            nn.Linear(config.n_embd, config.n_embd) for _ in range(config.n_layer)
        )
        self.head = nn.Linear(config.n_embd, config.vocab_size)

    def forward(self, ids):
        x = self.embed(ids)
        for layer in self.layers:
            x = layer(x)
        return self.head(x)
"""


def test_named_configurations_follow_the_default_largest_first(tmp_path: Path) -> None:
    """Methods, instances and dictionaries count; what is tiny, or of something else, does not."""
    found = measured(tmp_path, NAMED)
    assert [one.name for one in found.configurations] == [
        "default",
        "Config(**SIZES['huge'])",
        "Config.large()",
        "config_wide",
    ]
    assert [one.parameters for one in found.configurations] == [
        2 * 32000 * width + 32000 + layers * (width + 1) * width
        for width, layers in ((1024, 2), (8192, 4), (4096, 2), (2048, 2))
    ]
    assert all(one.outcome == "ok" and one.length == 128 for one in found.configurations)


DICTIONARY = """
BIG = {"vocab_size": 32000, "emb_dim": 2048, "context_length": 256}

class Model(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        self.embed = nn.Embedding(cfg["vocab_size"], cfg["emb_dim"])
        self.places = nn.Embedding(cfg["context_length"], cfg["emb_dim"])
        self.head = nn.Linear(cfg["emb_dim"], cfg["vocab_size"])

    def forward(self, ids):
        return self.head(self.embed(ids) + self.places(torch.arange(ids.shape[1])))
"""


def test_a_dictionary_of_sizes_goes_by_its_name(tmp_path: Path) -> None:
    """A model that reads `cfg["emb_dim"]` has no default, but a dictionary that it is meant for."""
    [one] = measured(tmp_path, DICTIONARY).configurations
    assert (one.name, one.build) == ("BIG", "Model(cfg=BIG)")
    assert one.parameters == 2 * 32000 * 2048 + 32000 + 256 * 2048
    assert (one.outcome, one.length) == ("ok", 256)


FACTORY = (
    network(SIZES)
    + """
def model_xl():
    return Model(dim=8192)

def train():
    for _ in range(3):
        raise SystemExit
    return Model(dim=8192)
"""
)


def test_functions_that_return_the_model_count_unless_they_work(tmp_path: Path) -> None:
    """A factory of an arbitrary name is asked; a function with a loop is not run."""
    names = [one.name for one in measured(tmp_path, FACTORY).configurations]
    assert names == ["default", "model_xl()"]


CONSTANTS = """
VOCAB = 32000
D_MODEL = 2048
CTX = 64
TABLE = {}

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(VOCAB, D_MODEL)
        self.head = nn.Linear(D_MODEL, VOCAB)

    def forward(self, ids):
        x = self.embed(ids)
        if D_MODEL not in TABLE:
            TABLE[D_MODEL] = torch.arange(D_MODEL * 64.0)
        return self.head(x + TABLE[D_MODEL][:D_MODEL])
"""


def test_constants_have_their_own_values_meanwhile_and_nothing_is_left_behind(
    tmp_path: Path,
) -> None:
    """The specimen stays small, and no tensor without data stays in a table of the module's."""
    made = specimen(tmp_path, CONSTANTS)
    namespace = vars(sys.modules[type(made.model).__module__])
    before = (namespace["D_MODEL"], sorted(namespace["TABLE"]), "torch._dynamo" in sys.modules)
    [one] = measure(made).configurations
    assert one.parameters == 2 * 32000 * 2048 + 32000
    assert (one.outcome, one.length) == ("ok", 64)
    after = (namespace["D_MODEL"], sorted(namespace["TABLE"]), "torch._dynamo" in sys.modules)
    assert after == before
    assert before[0] == 64
    assert made.call(made.copy(), made.inputs()).logits is not None


def test_values_of_hidden_tensors_stop_the_passes_and_the_count_remains(tmp_path: Path) -> None:
    """`.item()` of an activation has no answer without data: no defect, and the line is named."""
    text = network(middle="x = x * int(x.abs().max().item() * 0 + 1)")
    one = default(tmp_path, text)
    assert (one.outcome, one.reached, one.failure) == ("stopped", "construction", None)
    assert one.reason.startswith("data-dependent code at examined_")
    assert one.parameters > 400_000_000


def test_values_that_are_small_and_known_stop_nothing(tmp_path: Path) -> None:
    """`.item()` of the ids, of a schedule of rates, and a table from numpy have answers."""
    first = "self.rates = [rate.item() for rate in torch.linspace(0, 0.1, depth)]"
    last = "self.register_buffer('table', torch.from_numpy(__import__('numpy').ones((9, dim))))"
    middle = "assert ids.max().item() < self.head.out_features and self.rates[0] == 0"
    one = default(tmp_path, network(first=first, last=last, middle=middle))
    assert (one.outcome, one.reached) == ("ok", "backward")


@pytest.mark.parametrize(
    ("last", "reason"),
    [
        ("self.mean = self.embed.weight.detach().numpy().mean()", "data-dependent code at"),
        (
            "self.noise = __import__('numpy').ones((vocab_size, 16 * dim)) if dim > 99 else 0",
            "memory for real data is asked for at",
        ),
    ],
    ids=["values", "memory"],
)
def test_numpy_in_the_constructor_is_no_defect(tmp_path: Path, last: str, reason: str) -> None:
    """Real data is what numpy wants: there is none, and 16 GB of it are refused."""
    one = default(tmp_path, network(last=last))
    assert (one.outcome, one.reached, one.parameters) == ("stopped", "nothing", 0)
    assert one.reason.startswith(reason)


def test_a_default_that_its_own_check_refuses_is_told(tmp_path: Path) -> None:
    """The failure is kept, and is no conviction: a check states a requirement."""
    text = network(SIZES.replace("heads=32", "heads=24"), first="assert dim % heads == 0, 'no'")
    found = measured(tmp_path, text)
    [one] = found.configurations
    assert (one.outcome, one.reached) == ("crashed", "nothing")
    assert one.failure is not None
    assert one.failure.crash.kind == "AssertionError"
    assert one.failure.sizes["heads"] == 24
    assert found.convicted() == ()


BROKEN = "x = x + x.view(*x.shape[:2], heads, x.shape[2] // heads).flatten(2)"


def test_a_default_at_which_the_code_breaks_is_convicted(tmp_path: Path) -> None:
    """Widths that do not fit each other at the default alone, with line, shapes and sizes."""
    text = network(
        last="self.odd = 24 if dim == 4096 else 4", middle=BROKEN.replace("heads", "self.odd")
    )
    found = measured(tmp_path, text)
    [one] = found.convicted()
    assert (one.outcome, one.reached) == ("crashed", "construction")
    assert one.failure is not None
    assert one.failure.crash.statement.startswith("x = x + x.view(")
    assert "x [3, 7, 4096]" in one.failure.crash.shapes
    assert (one.failure.sizes["width"], one.failure.sizes["length"]) == (4096, 7)


def test_threads_that_the_copy_has_not_are_not_waited_for(tmp_path: Path) -> None:
    """The model's file gives torch two; the specimen is run with data in the copy."""
    text = "torch.set_num_threads(2)\n" + network(
        last="self.odd = 24 if dim == 4096 else 4", middle=BROKEN.replace("heads", "self.odd")
    )
    try:
        made = specimen(tmp_path, text)
        torch.randn(300, 300) @ torch.randn(300, 300)  # they are there from now on
        found = measure(made)
    finally:
        torch.set_num_threads(1)
    assert found.stopped == ""
    assert len(found.convicted()) == 1


def test_sizes_that_we_filled_in_are_not_held_against_the_file(tmp_path: Path) -> None:
    """There is no default for heads: that ours do not divide the width is not its fault."""
    sizes = "heads, vocab_size=32000, dim=4098, max_len=512, depth=1"
    text = network(sizes, last="self.odd = heads", middle=BROKEN.replace("heads", "self.odd"))
    found = measured(tmp_path, text.replace("(dim, heads, ", "(dim, 1, "))
    [one] = found.configurations
    assert (one.filled, one.outcome, found.convicted()) == (("heads",), "stopped", ())


def test_what_fails_without_data_at_any_size_is_no_crash_of_the_code(tmp_path: Path) -> None:
    """The specimen runs with data and fails without: the lack of data is to blame."""
    middle = "if type(x) is not torch.Tensor: raise ValueError('shape mismatch')"
    one = default(tmp_path, network(middle=middle))
    assert (one.outcome, one.failure) == ("stopped", None)
    assert one.reason.startswith("without data the specimen fails too")


def test_a_length_of_ours_is_not_held_against_the_code(tmp_path: Path) -> None:
    """At the full context there is no place for two more positions; at the specimen's there is."""
    middle = "x = x + self.places(torch.arange(2, ids.shape[1] + 2)) + self.tail[: ids.shape[1]]"
    last = "self.tail = nn.Parameter(torch.zeros(max_len - 2, dim))"
    one = default(tmp_path, network(last=last, middle=middle))
    assert (one.outcome, one.length) == ("ok", 7)
    assert one.reason.startswith("at T=512: RuntimeError in forward at examined_")


CHOOSY = """
class Model(nn.Module):
    def __init__(self, vocab_size=32000, dim=4096, spots=1000):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, dim)
        self.table = nn.Parameter(torch.zeros(spots, dim))
        self.head = nn.Linear(dim, vocab_size)

    def forward(self, ids):
        return self.head(self.embed(ids) + self.table)
"""


def test_a_model_of_one_length_only_is_not_convicted(tmp_path: Path) -> None:
    """It fails at each length that we try, because nobody told that spots is the length."""
    found = measured(tmp_path, CHOOSY)
    [one] = found.configurations
    assert (one.outcome, found.convicted()) == ("stopped", ())
    assert one.reason.startswith("RuntimeError in forward at examined_")


def test_two_lengths_with_two_troubles_convict_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The context takes too long, and the length that is short enough is not the model's."""
    monkeypatch.setattr(fake_tensors, "_TIME", 0.5)
    text = CHOOSY.replace("spots", "max_len").replace(
        "self.embed(ids) +", "torch.stack([e.relu() for e in self.embed(ids).unbind(1)], 1) +"
    )
    found = measured(tmp_path, text.replace("=1000", "=4096"))
    [one] = found.configurations
    assert (one.outcome, found.convicted()) == ("stopped", ())
    assert one.reason.startswith("it takes too long at examined_")


def test_attributes_that_a_class_sets_are_a_configuration(tmp_path: Path) -> None:
    """A class that is no configuration by name is asked for what the model reads."""
    text = """
class Knobs:
    def __init__(self):
        self.words, self.units = 32000, 2048

class Model(nn.Module):
    def __init__(self, conf):
        super().__init__()
        self.embed = nn.Embedding(conf.words, conf.units)
        self.head = nn.Linear(conf.units, conf.words)

    def forward(self, ids):
        return self.head(self.embed(ids))
"""
    [one] = measured(tmp_path, text).configurations
    assert (one.name, one.parameters) == ("Knobs()", 2 * 32000 * 2048 + 32000)


def test_a_size_that_the_file_leaves_open_makes_no_default(tmp_path: Path) -> None:
    """With a width of our choice the number of parameters would say nothing of the file."""
    sizes = "dim, vocab_size=320000, max_len=512, heads=4, depth=1"
    assert measured(tmp_path, network(sizes)).configurations == ()


def test_a_loop_over_positions_falls_back_to_few_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python that walks thousands of positions would take minutes: a few tell the same."""
    monkeypatch.setattr(fake_tensors, "_TIME", 0.8)
    walk = "x = torch.stack([x[:, t].relu() + x[:, t - 1] for t in range(x.shape[1])], 1)"
    text = network(SIZES.replace("512", "4096"), middle=walk)
    one = default(tmp_path, text)
    assert (one.outcome, one.length) == ("ok", 7)
    assert one.reason.startswith("at T=4096: it takes too long at examined_")


def test_what_ends_the_process_ends_only_a_copy_of_it(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A model that exits at its full size: counted, told, and nothing that it printed is shown."""
    last = "print('built with', dim)"
    middle = "if x.shape[-1] == 4096: __import__('os')._exit(0)"
    made = specimen(tmp_path, network(last=last, middle=middle))
    printed = capfd.readouterr().out
    found = measure(made)
    [one] = found.configurations
    assert (one.outcome, one.reason) == ("stopped", "the process ended itself")
    assert one.parameters > 400_000_000
    assert "built with 64" in printed
    assert capfd.readouterr().out == ""


def test_compiled_parts_run_as_they_were_written(tmp_path: Path) -> None:
    """torch.compile of a part would crash the interpreter on tensors without data."""
    last = "self.part = torch.compile(nn.Linear(dim, dim)) if dim == 4096 else nn.Identity()"
    one = default(tmp_path, network(last=last, middle="x = self.part(x)"))
    assert (one.outcome, one.reached) == ("ok", "backward")


def test_weights_in_half_precision_take_half(tmp_path: Path) -> None:
    """A constructor that ends with `.to(torch.bfloat16)` works, and the bytes follow."""
    last = "if dim == 4096: self.to(torch.bfloat16)"
    one = default(tmp_path, network(last=last))
    assert one.outcome == "ok"
    assert one.weight_bytes == 2 * one.parameters
    assert one.adamw_bytes == 4 * one.parameters


@pytest.mark.parametrize(
    "sizes",
    [
        "vocab_size=80, dim=32, max_len=32, heads=2, depth=1",
        "vocab_size, dim, max_len, heads, depth",
    ],
    ids=["small", "required"],
)
def test_a_default_as_small_as_the_specimen_is_no_news(tmp_path: Path, sizes: str) -> None:
    """What is not larger, or has no sizes of its own, is left out."""
    assert measured(tmp_path, network(sizes)).configurations == ()


def test_a_model_that_was_given_is_left_unmeasured(tmp_path: Path) -> None:
    """Nobody knows the file of a live object, and with it the sizes that it names."""
    import dataclasses

    from gptdoctor.probes.probe import Abstention

    made = dataclasses.replace(specimen(tmp_path, network()), full_sizes=None)
    with pytest.raises(Abstention, match="the model was given"):
        measure(made)


def test_a_torch_without_fake_tensors_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What torch has not is the reason, not a fault of the model."""
    from gptdoctor.probes.probe import Abstention

    monkeypatch.setitem(sys.modules, "torch._subclasses.fake_tensor", None)  # type: ignore[arg-type]
    with pytest.raises(Abstention, match="has no FakeTensorMode"):
        measure(specimen(tmp_path, network()))


def test_without_a_call_the_default_is_counted_all_the_same(tmp_path: Path) -> None:
    """Parameters and bytes need no forward pass."""
    construction, made = build(tmp_path, network(middle="raise ValueError('no')"))
    assert construction.outcome != "built"
    assert made is not None
    [one] = measure(made).configurations
    assert (one.outcome, one.reached) == ("stopped", "construction")
    assert one.parameters > 400_000_000
    assert one.reason == "no call of the specimen is known that works"


def test_inputs_of_unknown_width_are_not_guessed(tmp_path: Path) -> None:
    """A picture as wide as the specimen's tower fits no other tower."""
    text = """
class Model(nn.Module):
    def __init__(self, vocab_size=32000, dim=4096, image_dim=1024):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, dim)
        self.see = nn.Linear(image_dim, dim)
        self.head = nn.Linear(dim, vocab_size)

    def forward(self, ids, image_features):
        return self.head(self.embed(ids) + self.see(image_features).mean(1, keepdim=True))
"""
    one = default(tmp_path, text)
    assert one.outcome == "stopped"
    assert one.reason == "nothing tells how wide its other inputs are at this size"


def _same(first: Any, second: Any) -> bool:
    return bool(torch.equal(first, second))


def test_the_specimen_is_as_it_was(tmp_path: Path) -> None:
    """No other probe sees that this one ran."""
    made = specimen(tmp_path, network())
    before = {name: each.clone() for name, each in made.model.state_dict().items()}
    generator = torch.random.get_rng_state()
    measure(made)
    after = made.model.state_dict()
    assert all(_same(before[name], each) for name, each in after.items())
    assert _same(generator, torch.random.get_rng_state())
