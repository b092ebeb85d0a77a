"""GD502, unaccepted-call: what the text shows, and which crashes convict."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gptdoctor.core.findings import Conviction, Status
from gptdoctor.core.measurements.construction import Construction
from gptdoctor.core.measurements.crash import Crash
from gptdoctor.core.measurements.import_dependencies import ImportDependencies, ImportFailure
from gptdoctor.core.measurements.record import Measured, ModelRecord
from gptdoctor.defects.imports.unaccepted_call import DEFECT
from tests.defects.marks import marked
from tests.defects.records import NO_RECORD
from tests.defects.scanning import lines_of, scan_files

BLOCKS = """\
from dataclasses import dataclass
from torch import nn


class Mixer(nn.Module):
    def __init__(self, width, layers=1, *, bias=True):
        super().__init__()


class Inherits(Mixer):
    pass


class Spreads(Mixer):
    def __init__(self, width, **rest):
        super().__init__(width)


class Bare(nn.Module):
    pass


class Made:
    def __new__(cls, a):
        return object()

    def __init__(self, a, b):
        pass


@dataclass
class Config:
    width: int


def scaled(x, factor, /, offset=0):
    return x


@cached
def decorated(x):
    return x
"""
MODEL = """\
import blocks
from blocks import Bare, Config, Inherits, Made, Mixer, Spreads, decorated, scaled
from torch import nn


class Net(nn.Module):
    def __init__(self, width, *args, **options):
        super().__init__()
        self.part = {}

    def forward(self, ids):
        return self.part(ids)
"""
REFUSED = {
    "a keyword that it does not know": "Mixer(width, depth=2)",
    "one too many": "Mixer(width, 2, 3)",
    "one too few": "Mixer()",
    "one twice": "Mixer(width, width=3)",
    "an inherited constructor": "Inherits(width, depth=2)",
    "by the module's name": "blocks.Mixer(width, depth=2)",
    "a function": "scaled(width)",
    "by the name of what has none": "scaled(width, factor=2)",
    "deep in an expression": "nn.ModuleList([Mixer(width, depth=i) for i in range(2)])",
}
ACCEPTED = {
    "as it is": "Mixer(width, 2, bias=False)",
    "by keywords": "Mixer(layers=2, width=width)",
    "spread": "Mixer(*args, **options)",
    "takes whatever is given": "Spreads(width, depth=2)",
    "without a constructor": "Bare(width)",
    "something else makes it": "Made(width)",
    "made by a decorator": "Config(width, 3, depth=2)",
    "wrapped by a decorator": "decorated(width, 3)",
    "a function with a default": "scaled(width, 2, offset=3)",
    "another library's": "other.Linear(width, width, depth=2)",
    "what a later torch may take": "nn.LazyLinear(width, depth=2)",
}


def rules(model: str) -> list[tuple[str, int]]:
    """What a scan of the model and of its blocks reports."""
    found = scan_files({"blocks.py": BLOCKS, "model.py": model})
    return [one for one in found if one[0] == "GD502"]


@pytest.mark.parametrize("call", REFUSED.values(), ids=REFUSED)
def test_a_call_that_the_text_refuses_is_reported(call: str) -> None:
    """On its line, and only there."""
    assert rules(MODEL.format(call)) == [("GD502", 9)]


@pytest.mark.parametrize("call", ACCEPTED.values(), ids=ACCEPTED)
def test_a_call_that_may_be_accepted_is_left_alone(call: str) -> None:
    """Where the text does not plainly refuse it."""
    assert rules(MODEL.format(call)) == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("from torch import nn\n", "from torch import nn\n\nMixer = nn.Linear\n"),
        ("(self, width,", "(self, width, Mixer,"),
        ("        self.part", "        Mixer = nn.Linear\n        self.part"),
        (
            "        self.part = Mixer(width, depth=2)",
            "        try:\n            self.part = "
            "Mixer(width, depth=2)\n        except TypeError:\n            self.part = None",
        ),
    ],
    ids=["bound again", "a parameter", "a local name", "tried"],
)
def test_a_name_with_another_meaning_is_left_alone(before: str, after: str) -> None:
    """The name may stand for something else, or the code counts on the error."""
    model = MODEL.format("Mixer(width, depth=2)")
    assert before in model
    assert rules(model.replace(before, after)) == []


def convictions(
    message: str, statement: str, kind: str = "TypeError", record: ModelRecord = NO_RECORD
) -> list[Conviction]:
    """What is read in a model that cannot be built."""
    crash = Crash(
        stage="construction",
        kind=kind,
        message=message,
        path="model.py",
        symbol="Net.__init__",
        line=9,
        statement=statement,
    )
    measurement = Construction(
        outcome="crashed", build="Net()", call="", entry="forward", parameters=0, vocabulary=0,
        batch=0, length=0, inputs=(), optional_inputs=(), returns="", crash=crash, tried=(),
    )  # fmt: skip
    return list(DEFECT.convicts["construction"](measurement, record))


@pytest.mark.parametrize(
    ("message", "statement", "alone"),
    [
        ("Linear.__init__() got an unexpected keyword argument 'd'", "nn.Linear(3, d=2)", True),
        ("Mixer.forward() got an unexpected keyword argument 'm'", "x = self.mix(x, m=m)", True),
        ("Mixer.forward() missing 1 required positional argument: 'm'", "x = self.mix(x)", True),
        ("scaled() takes 2 positional arguments but 3 were given", "y = scaled(x, 2, 3)", True),
        ("f() takes from 1 to 2 positional arguments but 3 were given", "y = f(x, 2, 3)", True),
        ("f() got multiple values for argument 'x'", "y = f(x, x=3)", True),
        ("Mixer.__init__() got an unexpected keyword argument 'a'", "self.mix = Mixer(", True),
        ("softmax() missing 1 required positional arguments: 'dim'", "softmax(x / d**0.5)", True),
        # what a library calls inside, and what may be a guess of ours
        ("Block.__init__() missing 1 required positional argument: 'c'", "m = GPT2Model(c)", False),
        ("Layer.forward() got an unexpected keyword argument 'mask'", "x = self.stack(x)", False),
        ("Mixer.__init__() got an unexpected keyword argument 'a'", "Mixer(**config.mix)", False),
        ("Mixer.__init__() got an unexpected keyword argument 'a'", "Mixer(w, **{'a': 2})", False),
        ("scaled() takes 2 positional arguments but 3 were given", "y = scaled(x, *more)", False),
    ],
)  # fmt: skip
def test_a_refused_call_convicts(message: str, statement: str, alone: bool) -> None:
    """By itself where the line makes the call, else only what the text shows as well."""
    (found,) = convictions(message, statement)
    assert (found.status, found.alone) == (Status.CONFIRMED, alone)
    assert found.place is not None
    assert found.place.line == 9


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("'NoneType' object is not callable", "TypeError"),
        ("f() got an unexpected keyword argument 'x'", "ValueError"),
        ("conv1d() received an invalid combination of arguments", "TypeError"),
    ],
)
def test_other_errors_do_not(message: str, kind: str) -> None:
    """They tell of values, not of the call."""
    assert convictions(message, "y = f(x=2)", kind) == []


def test_a_class_that_a_failed_import_was_to_make_is_no_fault_of_its_call() -> None:
    """`@dataclass` of a module that is not there has made no constructor."""
    message, statement = "Output() takes no arguments", "return Output(logits)"
    failure = ImportFailure(
        path="model.py",
        line=1,
        module="dataclasses_v2",
        name=None,
        guarded=False,
        needed=True,
        error="ModuleNotFoundError: No module named 'dataclasses_v2'",
    )
    missing = ImportDependencies(imported=True, failures=(failure,), seconds=0.0)
    measured = Measured(probe="import-dependencies", measurement=missing)
    record = replace(NO_RECORD, measured=(measured,))
    assert convictions(message, statement)
    assert not convictions(message, statement, record=record)
    assert convictions("f() got multiple values for argument 'x'", "f(x, x=3)", record=record)


PARTS = """\
import torch
import torch.nn.functional as F
from torch import nn, optim


class Attention(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.attend = nn.MultiheadAttention(width, 4, batch_first=True)

    def forward(self, x):
        return self.attend(x, x, x)[0]


class Several(nn.Sequential):
    def forward(self, x, *others):
        return x


"""
OWN_SICK = {
    "a keyword of another library's": """
norm = nn.LayerNorm(8, epsilon=1e-6)  # here
""",
    "a function": """
def weights(x):
    return F.softmax(x, axis=-1)  # here
""",
    "a function that is built in": """
def attend(q):
    return F.scaled_dot_product_attention(q, q, q, causal=True)  # here
""",
    "an optimizer": """
def optimizer(net):
    return optim.AdamW(net.parameters(), learning_rate=1e-3)  # here
""",
    "one too few": """
head = nn.Linear(8)  # here
""",
    "a part of the project's": """
class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.attention = Attention(width)

    def forward(self, x, mask):
        return x + self.attention(x, mask)  # here
""",
    "several layers in a row": """
class Net(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.layers = nn.Sequential(*[Attention(width) for _ in range(3)])

    def forward(self, x, mask):
        return self.layers(x, mask)  # here
""",
    "a list of layers": """
class Net(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.layers = nn.ModuleList([Attention(width) for _ in range(3)])

    def forward(self, x, mask):
        for number, layer in enumerate(self.layers):
            x = layer(x, mask=mask)  # here
        return x
""",
    "a method": """
class Net(nn.Module):
    def scores(self, x):
        return x

    def forward(self, x, mask):
        return self.scores(x, mask)  # here
""",
    "a method that does not take itself": """
class Net(nn.Module):
    def scores(x):
        return x

    def forward(self, x):
        return self.scores(x)  # here
""",
    "what a script makes": """
net = Attention(8).to("cpu")
print(net(torch.zeros(1, 2, 8), None))  # here
""",
    "a loss without its target": """
def train(net, x):
    criterion = nn.CrossEntropyLoss()
    return criterion(net(x))  # here
""",
}
OWN_HEALTHY = {
    "as they are": """
norm = nn.LayerNorm(8, eps=1e-6)
head = nn.Linear(8, 8, bias=False, device="cpu")
shares = F.softmax(torch.zeros(3), dim=-1, dtype=torch.float32)
""",
    "torch itself takes what numpy takes": """
shares = torch.softmax(torch.zeros(3), axis=-1)
best = torch.argmax(shares, axis=-1, keepdims=True)
values, places = torch.topk(shares, k=2, largest=False, sorted=True)
""",
    "what is spread": """
class Net(nn.Module):
    def __init__(self, width, **options):
        super().__init__()
        self.norm = nn.LayerNorm(width, **options)
        self.layers = Several(nn.Linear(width, width))

    def forward(self, x, *masks):
        return self.norm(self.layers(x, *masks))
""",
    "a subclass that takes more": """
class Net(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.layers = Several(nn.Linear(width, width))

    def forward(self, x, mask):
        return self.layers(x, mask)
""",
    "a part that is one of two": """
class Net(nn.Module):
    def __init__(self, width, other=None):
        super().__init__()
        self.part = Attention(width)
        if other:
            self.part = other

    def forward(self, x, mask):
        return self.part(x, mask)
""",
    "a method that others define": """
class Net(nn.Module):
    def scores(self, x):
        raise NotImplementedError

    def forward(self, x, mask):
        return self.scores(x, mask)
""",
    "a decorated method": """
class Net(nn.Module):
    @wrapped
    def scores(self, x):
        return x

    def forward(self, x, mask):
        return self.scores(x, mask)
""",
    "a static method": """
class Net(nn.Module):
    @staticmethod
    def scores(x, mask):
        return x

    def forward(self, x, mask):
        return self.scores(x, mask)
""",
    "a name of two meanings": """
net = Attention(8)
net = wrapped(net)
net(torch.zeros(1, 2, 8), None)
""",
    "a test of what is refused": """
try:
    nn.LayerNorm(8, epsilon=1e-6)
except TypeError:
    pass
""",
}


@pytest.mark.parametrize("text", OWN_SICK.values(), ids=OWN_SICK)
def test_a_part_that_refuses_its_call_is_reported(text: str) -> None:
    """Torch's own, and those that a class or a script has made."""
    assert lines_of("GD502", f"{PARTS}{text}") == marked(f"{PARTS}{text}")


@pytest.mark.parametrize("text", OWN_HEALTHY.values(), ids=OWN_HEALTHY)
def test_a_part_that_may_take_its_call_is_left_alone(text: str) -> None:
    """Where something else may stand in its place, or take more."""
    assert lines_of("GD502", f"{PARTS}{text}") == []
