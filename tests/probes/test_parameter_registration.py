"""Weights that torch does not know, that do not last, and ties that do not hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from gptdoctor.core.measurements.parameter_registration import ParameterRegistration
from gptdoctor.probes.parameter_registration import PROBE
from tests.specimen.making import line_of, specimen

HEAD = """
import types

class Model(nn.Module):
    def __init__(self, vocab_size=50257, dim=768):
        super().__init__()
        self.e = nn.Embedding(vocab_size, dim)
        self.out = nn.Linear(dim, vocab_size)
        INIT

    def forward(self, idx):
        x = self.e(idx)
        WORK
        return self.out(x)
"""


def measured(folder: Path, init: str, work: str) -> tuple[ParameterRegistration, int]:
    """The measurement, and the line of `# here`."""
    made = specimen(folder, HEAD.replace("INIT", init).replace("WORK", work))
    found = PROBE.measure(made)
    assert isinstance(found, ParameterRegistration)
    return found, line_of(made, "# here") if "# here" in init + work else 0


HIDDEN = {
    "list": ("self.ls = [nn.Linear(dim, dim) for _ in range(2)]  # here", "x = self.ls[1](x)"),
    "dict": ('self.ls = {"a": nn.Linear(dim, dim)}  # here', 'x = self.ls["a"](x)'),
    "appended": (
        "self.ls = []  # here\n        for _ in range(2):\n"
        "            self.ls.append(nn.Linear(dim, dim))",
        "x = self.ls[0](x)",
    ),
    "parameters": ("self.ps = (nn.Parameter(torch.ones(dim)),)  # here", "x = x * self.ps[0]"),
    "tensor": ("self.w = torch.ones(dim, requires_grad=True)  # here", "x = x * self.w"),
    "scaled": ("self.w = nn.Parameter(torch.ones(dim)) * 0.5  # here", "x = x * self.w"),
    "object": (
        "self.box = types.SimpleNamespace(l=nn.Linear(dim, dim))  # here",
        "x = self.box.l(x)",
    ),
    "nested": ('self.ls = [{"a": [nn.Linear(dim, dim)]}]  # here', 'x = self.ls[0]["a"][0](x)'),
}


@pytest.mark.parametrize("form", HIDDEN)
def test_weights_that_torch_does_not_see_are_found_where_they_are_held(
    tmp_path: Path, form: str
) -> None:
    """By the attribute, at the line that sets it."""
    found, here = measured(tmp_path, *HIDDEN[form])
    (one,) = found.unregistered
    assert (one.line, one.symbol, one.handed_in) == (here, "Model.__init__", False)
    assert found.overwritten == ()


def test_a_module_that_is_wrapped_to_hide_it_is_told_apart(tmp_path: Path) -> None:
    """A list of one name: that is done on purpose."""
    init = "base = nn.Linear(dim, dim)\n        self.base = [base]"
    found, _ = measured(tmp_path, init, "x = self.base[0](x)")
    assert [one.handed_in for one in found.unregistered] == [True]


CHANGED = {
    "replaced": (
        "self.l = nn.Linear(dim, dim)",
        "self.l.weight = nn.Parameter(self.l.weight / 2)  # here\n        x = self.l(x)",
    ),
    "removed": (
        "self.w = nn.Parameter(torch.ones(dim))",
        "w = self.w * 2\n        del self.w\n        self.w = w  # here\n        x = x * self.w",
    ),
    "module": (
        "self.l = nn.Linear(dim, dim)",
        "self.l = nn.Linear(x.size(-1), x.size(-1))  # here\n        x = self.l(x)",
    ),
}


@pytest.mark.parametrize("form", CHANGED)
def test_parameters_that_a_forward_pass_exchanges_are_found(tmp_path: Path, form: str) -> None:
    """At the line that sets the other one."""
    found, here = measured(tmp_path, *CHANGED[form])
    (one,) = found.overwritten
    assert one.line == here
    assert one.how == ("removed" if form == "removed" else "replaced")


def test_what_is_made_once_lasts(tmp_path: Path) -> None:
    """A parameter of the first call is the same at the second."""
    work = "if self.p is None: self.p = nn.Parameter(torch.ones(1))\n        x = x * self.p"
    found, _ = measured(tmp_path, "self.p = None", work)
    assert (found.overwritten, found.unregistered) == ((), ())


TIES = {
    "undone": (
        "self.out.weight = self.e.weight  # here\n        self.e = nn.Embedding(vocab_size, dim)"
    ),
    "promised": "self.tie_weights = True",
    "copied": (
        "self.tie_weights = True\n"
        "        self.out.weight = nn.Parameter(self.e.weight.clone())  # here"
    ),
}


@pytest.mark.parametrize("form", TIES)
def test_a_tie_that_does_not_hold_is_found(tmp_path: Path, form: str) -> None:
    """By the statement that ties, or by the setting that promises it."""
    found, here = measured(tmp_path, TIES[form], "pass")
    (tie,) = found.broken_ties
    assert tie.line == here or form == "promised"
    assert tie.setting == ("" if form == "undone" else "tie_weights")


@pytest.mark.parametrize(
    "init",
    [
        "self.out.weight = self.e.weight",
        "self.tie_weights = True\n        self.out.weight = self.e.weight",
        "self.tie_weights = False",
        "self.tie_encoder_decoder = True",
    ],
)
def test_a_tie_that_holds_and_one_that_nobody_promised_are_none(tmp_path: Path, init: str) -> None:
    """Nothing is said of them."""
    assert measured(tmp_path, init, "pass")[0].broken_ties == ()


def test_the_process_is_left_as_it_was(tmp_path: Path) -> None:
    """Modules set their attributes as before."""
    import torch.nn as nn

    before = nn.Module.__setattr__, nn.Module.__delattr__, nn.Module.register_parameter
    measured(tmp_path, "pass", "pass")
    assert before == (nn.Module.__setattr__, nn.Module.__delattr__, nn.Module.register_parameter)


def test_two_parameters_on_one_memory_are_no_tie(tmp_path: Path) -> None:
    """A head that is given the `.data` of the embedding is a parameter of its own."""
    found, here = measured(tmp_path, "self.out.weight.data = self.e.weight.data  # here", "pass")
    (tie,) = found.broken_ties
    assert tie.one_memory
    assert tie.line == here


PLAIN = {
    "random": ("self.bank = torch.randn(dim) * 0.02  # here", "x = x + self.bank"),
    "listed": ("self.banks = [torch.rand(dim)]  # here", "x = x * self.banks[0]"),
    "filled": ("self.bank = torch.empty(dim).normal_()  # here", "x = x + self.bank"),
    "constant": ("self.gain = torch.ones(dim)  # here", "x = x * self.gain"),
    "constant skip": ("self.skip = torch.ones(dim)  # here", "x = x + self.skip * x"),
    "constant factor": ("self.D = torch.ones(dim)  # here", "x = x + x * self.D"),
}


@pytest.mark.parametrize("form", PLAIN)
def test_weights_in_a_plain_tensor_are_found(tmp_path: Path, form: str) -> None:
    """By the line that makes them."""
    init, work = PLAIN[form]
    found, here = measured(tmp_path, init, work)
    (plain,) = found.plain
    assert plain.line == here
    assert plain.kind == ("constant" if "constant" in form else "random")


NO_WEIGHTS = {
    "computed": ("self.pos = torch.arange(dim) / dim", "x = x + self.pos"),
    "registered": ("self.register_buffer('bank', torch.randn(dim))", "x = x + self.bank"),
    "unused": ("self.bank = torch.randn(dim)", "self.bank.mean()"),
    "cache": (
        "self.cache = torch.zeros(1, dim)",
        "self.cache[:] = x[0, -1]\n        x = x + self.cache",
    ),
    "exchanged": (
        "self.bank = torch.randn(dim)",
        "self.bank = torch.ones_like(self.bank)\n        x = x * self.bank",
    ),
    "first state": ("self.h0 = torch.zeros(dim)", "x = x + self.h0"),
    "like": ("self.first = torch.zeros_like(torch.randn(dim))", "x = x + self.first"),
    "mask": ("self.mask = torch.zeros(dim)", "x = x + self.mask"),
    "skip mask": ("self.skip_mask = torch.ones(dim)", "x = x * self.skip_mask"),
    "active": ("self.active = torch.ones(dim)", "x = x * self.active"),
    "fixed factors": ("self.alpha = torch.full((dim,), 2.0)", "x = x * self.alpha"),
}


@pytest.mark.parametrize("form", NO_WEIGHTS)
def test_other_plain_tensors_are_no_weights(tmp_path: Path, form: str) -> None:
    """What is computed, registered, unused, written or a state is left alone."""
    assert measured(tmp_path, *NO_WEIGHTS[form])[0].plain == ()


@pytest.mark.parametrize(
    "init",
    [
        "self.out.requires_grad_(False)  # here",
        "self.out.weight.requires_grad = False  # here",
        "for p in self.out.parameters(): p.requires_grad = False  # here",
        "self.m = nn.Linear(dim, dim)\n"
        "        self.out = nn.Linear(dim, vocab_size, bias=False).requires_grad_(False)  # here\n"
        "        self.e.weight = self.out.weight",
    ],
)
def test_a_head_that_the_constructor_freezes_is_found(tmp_path: Path, init: str) -> None:
    """By the statement; with the embedding that is tied to what was frozen when it was made."""
    found, here = measured(tmp_path, init, "x = self.m(x)" if "self.m" in init else "pass")
    assert found.frozen_head is not None
    assert found.frozen_head.line == here


@pytest.mark.parametrize(
    "init",
    [
        "pass",
        "self.e.requires_grad_(False)",
        "self.out.requires_grad_(dim < 0)",
        "self.requires_grad_(False)",
        "if dim: self.out.requires_grad_(False)",
        "self.out.weight = self.e.weight\n        self.out.weight.requires_grad_(False)",
    ],
)
def test_other_frozen_parts_are_no_frozen_head(tmp_path: Path, init: str) -> None:
    """An embedding, a setting, a whole model, or a tie."""
    assert measured(tmp_path, init, "pass")[0].frozen_head is None
