"""Where the data of parameters without a gradient leaves the graph."""

from __future__ import annotations

from pathlib import Path

import pytest

from gptdoctor.core.measurements.gradient_flow import GradientFlow, LostGradient
from gptdoctor.probes.gradient_flow import PROBE
from tests.specimen.making import line_of, specimen

HEAD = """
class Model(nn.Module):
    def __init__(self, vocab_size=50257, dim=768):
        super().__init__()
        self.e = nn.Embedding(vocab_size, dim)
        self.f, self.g = nn.Linear(dim, dim), nn.Linear(dim, 1)
        self.out = nn.Linear(dim, vocab_size)

    def forward(self, idx):
        x = self.e(idx)
        x = self.work(x)
        return self.out(x + self.f(x))

    def work(self, x):
"""
TWO = "torch.cat([self.g(x), -self.g(x)], -1)"


def measured(folder: Path, *lines: str) -> tuple[GradientFlow, int]:
    """The measurement of a model with these lines as its work, and the line of `# here`."""
    made = specimen(folder, HEAD + "".join(f"        {line}\n" for line in lines))
    found = PROBE.measure(made)
    assert isinstance(found, GradientFlow)
    return found, line_of(made, "# here") if any("# here" in line for line in lines) else 0


# By name: what torch calls the operation, and the lines.
CUTS = {
    "detach": ("detach", "return x * self.g(x).detach()  # here"),
    "detach-in-place": ("detach_", "s = self.g(x) * 1", "s.detach_()  # here", "return x * s"),
    "data": ("data", "return x * self.g(x).data  # here"),
    "data-of-a-weight": ("data", "w = self.g.weight.data  # here", "return x * F.linear(x, w)"),
    "a-leaf-of-its-own": (
        "detach",
        "s = self.g(x).detach().requires_grad_()  # here",
        "return x*s",
    ),
    "item": ("item", "s = self.g(x).mean().item()  # here", "return x * s"),
    "float": ("__float__", "s = float(self.g(x).mean())  # here", "return x * s"),
    "int": ("__int__", "k = int(self.g(x).abs().sum() * 10)  # here", "return x * k"),
    "a-new-tensor": ("tensor", "s = torch.tensor(self.g(x))  # here", "return x * s"),
    "like-another": ("new_tensor", "return x * x.new_tensor(self.g(x))  # here"),
    "a-list": ("tolist", "s = self.g(x).tolist()  # here", "return x * torch.tensor(s)"),
    "an-array": (
        "detach",
        "s = self.g(x).detach().numpy() ** 2  # here",
        "return x * torch.tensor(s)",
    ),
    "whole-numbers": ("long", "k = (self.g(x) * 10).long()  # here", "return x * k"),
    "another-type": ("to", "k = (self.g(x) * 10).to(torch.int32)  # here", "return x * k"),
    "argmax": ("argmax", f"k = {TWO}.argmax(-1, keepdim=True)  # here", "return x * (k + 1)"),
    "indices-of-topk": ("topk", f"k = {TWO}.topk(1).indices  # here", "return x * (k + 1)"),
    "a-comparison": ("gt", "keep = self.g(x) > 0  # here", "return x * keep"),
    "a-branch": ("gt", "if self.g(x).mean() > 0:  # here", "    return x * 2", "return x"),
    "rounding": ("round", "k = torch.round(self.g(x) * 10)  # here", "return x * k"),
    "the-sign": ("sign", "return x * self.g(x).sign()  # here"),
    "a-write-past-the-graph": (
        "__setitem__",
        "b = torch.zeros_like(x)",
        "b.data[:] = self.g(x)  # here",
        "return x * b",
    ),
    "twice": ("detach", "s = self.g(x).detach()  # here", "return x * s.detach()"),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("form", CUTS)
def test_the_line_is_named_at_which_the_data_leaves_the_graph(tmp_path: Path, form: str) -> None:
    """Each operation that ends a gradient, for a layer that has no other way to the loss."""
    operation, *lines = CUTS[form]
    found, here = measured(tmp_path, *lines)
    assert [(one.line, one.operation) for one in found.lost] == [(here, operation)]
    assert "g.weight" in found.lost[0].parameters
    assert found.lost[0].acts


def only(found: GradientFlow) -> LostGradient:
    """The one place."""
    assert len(found.lost) == 1, found.lost
    return found.lost[0]


def test_a_cut_of_the_main_way_loses_all_that_lies_before_it(tmp_path: Path) -> None:
    """The embedding, and no layer behind the place."""
    found, here = measured(tmp_path, "y = torch.tensor(x.tolist())  # here", "return y + self.g(y)")
    assert (only(found).line, only(found).parameters) == (here, ("e.weight",))


def test_what_only_a_log_hears_of_is_told_apart(tmp_path: Path) -> None:
    """The same operation, once for a log and once for the model."""
    found, _ = measured(tmp_path, "self.seen = self.g(x).mean().item()", "return x")
    assert only(found).acts is False
    found, here = measured(
        tmp_path,
        "self.seen = self.g(x).mean().item()",
        "s = self.g(x).mean().item()  # here",
        "return x * s",
    )
    assert {one.line: one.acts for one in found.lost} == {here - 1: False, here: True}


def test_the_path_of_the_data_leads_from_the_parameter_to_the_line(tmp_path: Path) -> None:
    """Line by line, with the text of each."""
    found, here = measured(
        tmp_path, "s = self.g(x)", "s = s.exp()", "s = s.detach()  # here", "return x * s"
    )
    lost = only(found)
    assert lost.trail_from.startswith("g.")
    assert [one.partition(" ")[2] for one in lost.trail] == [
        "s = self.g(x)",
        "s = s.exp()",
        "s = s.detach()  # here",
    ]
    assert lost.trail[-1].startswith(f"{lost.path}:{here} ")


def test_a_reentrant_checkpoint_without_gradients_in_is_named_by_its_call(tmp_path: Path) -> None:
    """Nothing that goes in asks for a gradient, so nothing inside gets one."""
    text = HEAD.replace(
        "self.out = nn", "self.e.weight.requires_grad = False\n        self.out = nn"
    )
    made = specimen(
        tmp_path,
        "from torch.utils.checkpoint import checkpoint\n"
        + text
        + "        return checkpoint(self.inner, x, use_reentrant=True)  # here\n"
        + "    def inner(self, x):\n        return x * self.g(x)\n",
    )
    found = PROBE.measure(made)
    assert isinstance(found, GradientFlow)
    lost = only(found)
    assert (lost.line, lost.operation) == (line_of(made, "# here"), "reentrant checkpoint")


def test_what_another_output_would_teach_is_not_lost(tmp_path: Path) -> None:
    """A loss that the model keeps, or returns beside its logits, is the training script's."""
    found, _ = measured(
        tmp_path, "self.side = self.g(x.detach()).pow(2).mean()", "return x * self.g(x).detach()"
    )
    assert found.lost == ()


OUTPUTS = {"hidden_states": 1, "past_key_values": 1, "value": 0}


@pytest.mark.parametrize("name", OUTPUTS)
def test_what_is_handed_on_beside_the_logits_teaches_nobody(tmp_path: Path, name: str) -> None:
    """States are returned for looking at, or for the next call; a value may get a loss."""
    whole = "return self.out(x + self.f(x))"
    beside = f"return {{'logits': self.out(x.detach()), '{name}': x}}"
    made = specimen(tmp_path, HEAD.replace(whole, beside) + "        return self.g(x) * x\n")
    found = PROBE.measure(made)
    assert isinstance(found, GradientFlow)
    assert len(found.lost) == OUTPUTS[name]


READERS = {
    "nobody": ("", True),
    "a branch that does not run": ("if len(x) > 99: x = self.spare(x)", False),
    "by its name": ("if len(x) > 99: x = getattr(self, 'spare')(x)", False),
    "from outside": ("if len(x) > 99: x = Other.of(self, x)", False),
}


@pytest.mark.parametrize("reader", READERS)
def test_a_part_that_nothing_uses_is_told_with_whether_text_names_it(
    tmp_path: Path, reader: str
) -> None:
    """What no text reads was forgotten, also where another class has a part of that name."""
    line, forgotten = READERS[reader]
    other = "class Other:\n    def work(self):\n        return self.spare\n"
    if reader == "from outside":
        other += "    @staticmethod\n    def of(model, x):\n        return model.spare(x)\n"
    spare = "self.spare = nn.Linear(dim, dim)"
    made = specimen(
        tmp_path,
        other
        + HEAD.replace("self.out = nn", f"{spare}\n        self.out = nn")
        + f"        {line or 'pass'}\n        return x * self.g(x)\n",
    )
    found = PROBE.measure(made)
    assert isinstance(found, GradientFlow)
    (part,) = found.unused
    assert (part.name, part.line, len(part.parameters)) == ("spare", line_of(made, spare), 2)
    assert part.is_forgotten is forgotten


USES = {
    "": ("y = self.f(x.detach())", "return x + y * self.g(x)"),
    "straight-through": ("y = self.f(x)", "return x * self.g(x) + (y.sigmoid() - y).detach() + y"),
    "statistic": ("y = x / x.detach().norm()", "return y * self.g(y)"),
}


@pytest.mark.parametrize("use", USES)
def test_a_detach_that_stops_a_part_is_told_with_its_use(tmp_path: Path, use: str) -> None:
    """Nothing is lost altogether: what the value is for decides whether it is a defect."""
    found, _ = measured(tmp_path, *USES[use])
    (cut,) = found.cuts
    assert cut.parameters_gained == ()
    assert cut.parameters_changed
    assert cut.use == use


WRITES = {
    "add": ("y = x.sigmoid()", "y.add_(1)  # here", "return y"),
    "plus-equals": ("y = self.f(x).exp()", "y += 1  # here", "return y"),
    "part": ("y = self.f(x).softmax(-1)", "y[:, 0] = 0  # here", "return y"),
    "later": ("y = self.f(x).exp()", "z = y * x", "y.masked_fill_(y > 3, 0.0)  # here", "return z"),
    "activation": ("y = self.f(x).sigmoid()", "return nn.ReLU(inplace=True)(y)  # here"),
    "loop": (
        "h, out = x[:, 0], torch.zeros_like(x)",
        "for t in range(x.size(1)):",
        "    h = torch.tanh(self.f(h) + x[:, t])",
        "    h *= 0.5  # here",
        "    out[:, t] = h",
        "return out",
    ),
}


@pytest.mark.parametrize("form", WRITES)
def test_the_write_that_breaks_backward_is_named(tmp_path: Path, form: str) -> None:
    """Not the operation whose backward fails, and not the call of backward."""
    found, here = measured(tmp_path, *WRITES[form])
    assert found.crash is not None
    assert found.in_place is not None
    assert found.in_place.line == here
