"""What temperature does to the tokens that methods draw from known logits."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from gptdoctor.core.measurements.sampling import SampledMethod, Sampling
from gptdoctor.probes.instruments.filter_draws import known_logits
from gptdoctor.probes.sampling import PROBE, temperature_draw
from gptdoctor.specimen.specimen import Specimen
from tests.specimen.making import line_of, specimen

HEAD = """
class Model(nn.Module):
    def __init__(self, vocab_size=50257, dim=768):
        super().__init__()
        self.e, self.out = nn.Embedding(vocab_size, dim), nn.Linear(dim, vocab_size)

"""
FORWARD = "    def forward(self, idx):\n        return self.out(self.e(idx))\n\n"
SIGNATURE = "    @torch.no_grad()\n    def generate(self, idx, max_new_tokens, temperature=1.0):\n"
LOOP = """\
        for _ in range(max_new_tokens):
            z = self(idx)[:, -1] / temperature
            p = z.softmax(-1)
            new = {new}
            idx = torch.cat([idx, new], 1)
        return idx
"""
MULTINOMIAL = "torch.multinomial(p, 1)"


def sampled(folder: Path, text: str) -> SampledMethod:
    """The one method that a model with this text is asked for."""
    found = PROBE.measure(specimen(folder, HEAD + text))
    assert isinstance(found, Sampling)
    assert found.generates
    (method,) = found.methods
    return method


RIGHT = {
    "multinomial": MULTINOMIAL,
    "categorical": "torch.distributions.Categorical(logits=z).sample()[:, None]",
    "gumbel": "(z - (-torch.rand_like(z).log()).log()).argmax(-1, keepdim=True)",
    "exponential": "(p / torch.empty_like(p).exponential_()).argmax(-1, keepdim=True)",
    "cumulative": "(p.cumsum(-1) < torch.rand(len(p), 1)).sum(-1, keepdim=True).clamp(max=96)",
}


@pytest.mark.parametrize("how", RIGHT)
def test_a_right_sampler_follows_the_temperature(tmp_path: Path, how: str) -> None:
    """Within 0.15 of softmax(z / T), and the hotter the more even."""
    method = sampled(tmp_path, FORWARD + SIGNATURE + LOOP.format(new=RIGHT[how]))
    assert [draw.temperature for draw in method.draws] == [0.25, 1.0, 4.0]
    assert all(draw.total_variation < 0.15 for draw in method.draws)
    assert all(draw.argmax_share < 0.2 for draw in method.draws)
    entropies = [draw.entropy for draw in method.draws]
    assert entropies == sorted(entropies)
    assert entropies[-1] - entropies[0] > 1.0


GREEDY = {
    "argmax": "z.argmax(-1, keepdim=True)",
    "topk": "z.topk(1).indices",
    "max": "z.max(-1, keepdim=True)[1]",
}


@pytest.mark.parametrize("how", GREEDY)
def test_a_greedy_method_always_draws_the_likeliest(tmp_path: Path, how: str) -> None:
    """At every temperature."""
    method = sampled(tmp_path, FORWARD + SIGNATURE + LOOP.format(new=GREEDY[how]))
    assert all(draw.argmax_share == 1.0 for draw in method.draws)
    assert all(draw.total_variation > 0.85 for draw in method.draws)
    assert all((draw.distinct_tokens, draw.entropy) == (1, 0.0) for draw in method.draws)


def test_a_temperature_without_effect_shows_where_it_is_low(tmp_path: Path) -> None:
    """The draws are those of T = 1."""
    text = FORWARD + SIGNATURE + LOOP.format(new=MULTINOMIAL).replace(" / temperature", "")
    cold = sampled(tmp_path, text).draws[0]
    assert 0.3 < cold.total_variation < 0.6


HELPED = """\
        for _ in range(max_new_tokens):
            z = self(idx)[:, -1]
            p = torch.nn.functional.softmax(z, dim=-1)
            idx = torch.cat([idx, {}], 1)
        return idx

    def pick(self, p):
        return torch.multinomial(p, 1)
"""


@pytest.mark.parametrize("choice", ["self.pick(p)", "torch.multinomial(p, 1)"])
def test_a_temperature_is_missed_where_the_method_softens(tmp_path: Path, choice: str) -> None:
    """However softmax is called, and whoever chooses."""
    made = specimen(tmp_path, HEAD + FORWARD + SIGNATURE + HELPED.format(choice))
    found = PROBE.measure(made)
    assert isinstance(found, Sampling)
    assert [one.plain_line for one in found.methods if one.parameter] == [
        line_of(made, "functional.softmax")
    ]


LAST = LOOP.format(new=MULTINOMIAL)
FORMS = {
    "output-object": FORWARD.replace(
        "return self.out(self.e(idx))", "return {'logits': self.out(self.e(idx)), 'past': None}"
    )
    + SIGNATURE
    + LAST.replace("self(idx)[", "self(idx)['logits']["),
    "tuple": FORWARD.replace("self.e(idx))", "self.e(idx)), None")
    + SIGNATURE
    + LAST.replace("self(idx)[", "self(idx)[0]["),
    "writes-into-the-logits": FORWARD
    + SIGNATURE
    + LAST.replace(
        "self(idx)[:, -1] / temperature", "self(idx)[:, -1]; z /= temperature; z[:, 0] -= 0"
    ),
    "total-length": FORWARD + "    def generate(self, idx, max_length=50, tau=1.0):\n"
    "        temperature, max_new_tokens = tau, max_length - idx.size(1)\n" + LAST,
    "top-k": FORWARD
    + SIGNATURE.replace("1.0):", "1.0, top_k=5, top_p=0.1, do_sample=False):")
    + "        assert do_sample and top_p == 1.0\n"
    + LAST.replace("p =", "z[z < z.topk(top_k).values[:, [-1]]] = -torch.inf; p ="),
    "one-row-at-a-time": FORWARD + SIGNATURE + "        assert len(idx) == 1\n" + LAST,
    "row-without-batch": FORWARD + SIGNATURE + "        idx = idx.view(1, len(idx))\n" + LAST,
    "list-of-tokens": FORWARD + SIGNATURE + LAST.replace("return idx", "return idx.tolist()"),
    "only-new-tokens": FORWARD
    + SIGNATURE
    + LAST.replace("return idx", "return idx[:, -max_new_tokens:]"),
    "generator": FORWARD
    + SIGNATURE.replace("    @torch.no_grad()\n", "")
    + LAST.replace("idx = torch", "yield new\n            idx = torch").replace(
        "return idx", "return"
    ),
    "context-to-choose": FORWARD
    + SIGNATURE.replace("1.0):", "1.0, *, context_size):")
    + LAST.replace("self(idx)", "self(idx[:, -context_size:])"),
    "past-the-entry": FORWARD + SIGNATURE + LAST.replace("self(idx)", "self.out(self.e(idx))"),
    "given-logits": FORWARD + "    def pick(self, logits, temperature):\n"
    "        return torch.multinomial((logits / temperature).softmax(-1), 1)\n",
    "keeps-a-cache": FORWARD.replace("idx):", "idx, cache=None):").replace(
        "return self.out(self.e(idx))",
        "x = self.e(idx)\n        x = x if cache is None else torch.cat([cache, x], 1)\n"
        "        return self.out(x)[:, -idx.size(1):], x",
    )
    + SIGNATURE
    + "        cache = None\n"
    + LAST.replace(
        "z = self(idx)[:, -1]",
        "zs, cache = self(idx if cache is None else idx[:, -1:], cache)\n"
        "            assert cache.shape[:2] == idx.shape\n            z = zs[:, -1]",
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_methods_of_many_forms_are_asked(tmp_path: Path, form: str) -> None:
    """Whatever they take and return, a right sampler is measured to be right."""
    method = sampled(tmp_path, FORMS[form])
    assert method.crash is None
    assert len(method.draws) == 3
    assert all(draw.total_variation < 0.2 for draw in method.draws)
    assert all(draw.rows >= 256 for draw in method.draws)


def test_an_inherited_method_is_told_with_its_own_place(tmp_path: Path) -> None:
    """Where it is written, not where it is inherited."""
    text = (
        "class Base(nn.Module):\n" + SIGNATURE + LAST + HEAD.replace("nn.Module", "Base") + FORWARD
    )
    made = specimen(tmp_path, text)
    found = PROBE.measure(made)
    assert isinstance(found, Sampling)
    (method,) = found.methods
    assert (method.symbol, method.parameter) == ("Base.generate", "temperature")
    assert method.line in (line_of(made, "def generate"), line_of(made, "@torch.no_grad()"))


def test_a_greedy_method_that_promises_no_temperature_is_no_finding(tmp_path: Path) -> None:
    """It generates, and that is all."""
    text = (
        FORWARD
        + SIGNATURE.replace(", temperature=1.0", "")
        + LOOP.format(new=GREEDY["argmax"]).replace(" / temperature", "")
    )
    found = PROBE.measure(specimen(tmp_path, HEAD + text))
    assert isinstance(found, Sampling)
    (method,) = found.methods
    assert found.generates
    assert (method.parameter, method.promises) == ("", ())
    assert [draw.argmax_share for draw in method.draws] == [1.0]


def test_a_model_without_any_such_method_does_not_generate(tmp_path: Path) -> None:
    """Nothing to ask."""
    assert PROBE.measure(specimen(tmp_path, HEAD + FORWARD)) == Sampling(
        methods=(), generates=False
    )


def test_a_method_that_fails_tells_its_crash(tmp_path: Path) -> None:
    """With the line; and it did not generate."""
    text = FORWARD + SIGNATURE + LAST.replace("self(idx)", "self(idx)[undefined]")
    made = specimen(tmp_path, HEAD + text)
    found = PROBE.measure(made)
    assert isinstance(found, Sampling)
    assert not found.generates
    (method,) = found.methods
    assert method.draws == ()
    assert method.crash is not None
    assert (method.crash.kind, method.crash.line) == ("NameError", line_of(made, "undefined"))


TUPLE = """\
    def forward(self, idx):
        return self.out(self.e(idx)), None

    @torch.no_grad()
    def generate(self, idx, max_new_tokens, temperature=1.0, top_k=5):
        for _ in range(max_new_tokens):
            logits, _ = self(idx)
            kept = logits[:, -1].topk(top_k).values[:, [-1]]
            z = logits[:, -1].masked_fill(logits[:, -1] < kept, -torch.inf) / temperature
            idx = torch.cat([idx, torch.multinomial(z.softmax(-1), 1)], 1)
        return idx
"""


def test_a_stand_in_for_an_output_that_nobody_saw_fails_no_filter(tmp_path: Path) -> None:
    """Where the entry itself fails, bare logits in its place do not fit what unpacks a tuple."""
    made = specimen(tmp_path, HEAD + TUPLE)

    def failing(model: object, *args: object) -> None:
        raise TypeError("softmax() missing 1 required positional argument")

    assert _filters(made) == 1
    type(made.model).forward = failing
    assert _filters(made) == 0


def _filters(made: Specimen) -> int:
    found = PROBE.measure(made)
    assert isinstance(found, Sampling)
    return sum(len(method.filters) for method in found.methods)


def test_the_distance_is_that_of_two_distributions() -> None:
    """0 for the very distribution, 1 for what it never draws."""
    logits = torch.tensor([0.0, 0.0, -torch.inf])
    even = torch.tensor([0, 1] * 8)
    assert temperature_draw(even, logits, 1.0).total_variation == pytest.approx(0.0, abs=1e-6)
    assert temperature_draw(torch.tensor([2]), logits, 1.0).total_variation == pytest.approx(1.0)
    assert known_logits(97).softmax(-1).max() / known_logits(97).softmax(-1).min() == pytest.approx(
        20.1, abs=0.1
    )


@pytest.mark.parametrize("last", ["[:, -1]", "[:, [-1]]"], ids=["[B, V]", "[B, 1, V]"])
def test_a_method_that_reads_logits_of_all_positions_needs_them(tmp_path: Path, last: str) -> None:
    """Without them it fails, and tells nothing of its filters; with one position it works."""
    forward = FORWARD.replace("self.e(idx))", f"self.e(idx){last})")
    found = PROBE.measure(specimen(tmp_path, HEAD + forward + SIGNATURE + LAST))
    assert isinstance(found, Sampling)
    assert [bool(one.draws) for one in found.methods] == ([True] if last == "[:, [-1]]" else [])
