"""What top-k, top-p and a temperature of 0 do to the tokens that methods draw."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from gptdoctor.core.measurements.sampling import SampledMethod, Sampling
from gptdoctor.probes.instruments.filter_draws import SHARES, known_logits, ranks_drawn
from gptdoctor.probes.sampling import PROBE
from tests.probes.test_sampling import FORWARD, HEAD
from tests.specimen.making import IMPORTS, line_of, specimen

DEF = "    @torch.no_grad()\n    def generate(self, ids, max_new_tokens, {}):\n"
LOOP = """\
        for _ in range(max_new_tokens):
            z = self(ids)[:, -1]
{}
            ids = torch.cat([ids, torch.multinomial(z.softmax(-1), 1)], 1)
        return ids
"""
# The line of the file at which the step of a test begins.
STEP_LINE = (IMPORTS + HEAD + FORWARD + DEF + LOOP).split("{}\n            ids")[0].count("\n") + 1


def sampled(folder: Path, parameters: str, step: str) -> SampledMethod:
    """What is measured of a method with these parameters and this step."""
    lines = "\n".join(" " * 12 + line for line in step.splitlines())
    text = HEAD + FORWARD + DEF.format(parameters) + LOOP.format(lines)
    found = PROBE.measure(specimen(folder, text))
    assert isinstance(found, Sampling)
    (method,) = found.methods
    return method


RIGHT_TOP_K = {
    "topk": "v = z.topk(min(top_k, z.size(-1)))[0]; z[z < v[:, [-1]]] = -torch.inf",
    "kthvalue": "z[z < z.kthvalue(z.size(-1) - top_k + 1, -1, True)[0]] = -torch.inf",
    "sort": "z[z.argsort(-1).argsort(-1) < z.size(-1) - top_k] = -torch.inf",
    "scatter": "v, i = z.topk(top_k); z = torch.full_like(z, -torch.inf).scatter(-1, i, v)",
}


@pytest.mark.parametrize("how", RIGHT_TOP_K)
def test_a_right_top_k_leaves_the_three_likeliest(tmp_path: Path, how: str) -> None:
    """Whatever it is made of."""
    (draw,) = sampled(tmp_path, "top_k=50", RIGHT_TOP_K[how]).filters
    assert (draw.kind, draw.ranks, draw.right) == ("top-k", (0, 1, 2), True)


WRONG_TOP_K = {
    "one more": ("v = z.topk(top_k + 1)[0]; z[z < v[:, [-1]]] = -torch.inf", (0, 1, 2, 3)),
    "one less": ("v = z.topk(top_k)[0]; z[z <= v[:, [-1]]] = -torch.inf", (0, 1)),
    "the tail": ("v = z.topk(top_k)[0]; z[z >= v[:, [-1]]] = -torch.inf", None),
    "no effect": ("v = z.topk(top_k)[0]; z.masked_fill(z < v[:, [-1]], -torch.inf)", None),
}


@pytest.mark.parametrize("how", WRONG_TOP_K)
def test_a_wrong_top_k_leaves_others(tmp_path: Path, how: str) -> None:
    """And its line is named."""
    step, ranks = WRONG_TOP_K[how]
    (draw,) = sampled(tmp_path, "top_k=50", step).filters
    assert not draw.right
    assert ranks is None or draw.ranks == ranks
    assert draw.line == STEP_LINE


def test_a_filter_that_takes_precedence_is_turned_off(tmp_path: Path) -> None:
    """With top_k given, this method ignores top_p, and rightly so."""
    step = (
        "p, i = z.softmax(-1).sort(-1, descending=True)\n"
        "if top_k: z[z < z.topk(top_k)[0][:, [-1]]] = -torch.inf\n"
        "elif top_p < 1: z = p.masked_fill(p.cumsum(-1) - p > top_p, 0).log()"
        ".gather(-1, i.argsort(-1))"
    )
    assert all(draw.right for draw in sampled(tmp_path, "top_k=50, top_p=0.9", step).filters)


SORTED = "p, i = z.softmax(-1).sort(-1, descending=True); c = p.cumsum(-1)\n"
BACK = "\nz = p.masked_fill(out, 0).log().gather(-1, i.argsort(-1))"
TOP_P = {
    "with the token that crosses": ("out = c - p > top_p", (2, 1)),
    "without it": ("out = c > top_p; out[:, 0] = False", (1, 1)),
    "two more": ("out = c - p - p.roll(1) > top_p", None),
    "the tail": ("out = c - p < top_p", None),
    "nothing is left": ("out = c > top_p", None),
}


@pytest.mark.parametrize("how", TOP_P)
def test_top_p_may_leave_the_token_that_crosses_or_not(tmp_path: Path, how: str) -> None:
    """Both conventions are right, and to leave none is not."""
    step, kept = TOP_P[how]
    draws = sampled(tmp_path, "top_p=1.0", SORTED + step + BACK).filters
    assert [draw.value for draw in draws] == [0.6, 0.2]
    assert all(draw.right for draw in draws) is (kept is not None)
    if kept is not None:
        assert tuple(draw.distinct_tokens for draw in draws) == kept


def test_the_known_logits_are_in_no_order() -> None:
    """A filter that sorts and forgets to undo it is not right by chance."""
    logits = known_logits(97, SHARES)
    top = logits.softmax(-1).sort(descending=True).values[:4]
    assert top.tolist() == pytest.approx(SHARES, abs=1e-5)
    assert not torch.equal(logits.argsort(), torch.arange(97))
    assert ranks_drawn(logits.argsort(descending=True)[[4, 0, 4]], logits).tolist() == [0, 4]


@pytest.mark.parametrize(
    ("step", "share", "promised"),
    [
        ("if temperature == 0: z = z * 1e9\nelse: z = z / temperature", 1.0, True),
        ("z = z / max(temperature, 1e-6)", 1.0, False),
        ("z = z / temperature", None, False),
        ("if temperature >= 0: z = z / temperature", None, True),
    ],
)
def test_temperature_zero(tmp_path: Path, step: str, share: float | None, promised: bool) -> None:
    """Greedy, or a crash; and whether the text speaks of 0."""
    zero = sampled(tmp_path, "temperature=1.0", step).zero
    assert zero is not None
    assert (zero.argmax_share, zero.promised, zero.crash is None) == (
        share,
        promised,
        share is not None,
    )


@pytest.mark.parametrize(
    ("step", "how", "probabilities"),
    [
        ("z = z / temperature", "divide", False),
        ("z = z * (1.0 / temperature)", "divide", False),
        ("z = z.mul(temperature)", "multiply", False),
        ("z = z / (1 / temperature)", "multiply", False),
        ("z = (z.softmax(-1) / temperature).log()", "divide", True),
        ("z = z.softmax(-1).pow(1 / temperature).log()", "other", True),
    ],
)
def test_what_the_temperature_meets(
    tmp_path: Path, step: str, how: str, probabilities: bool
) -> None:
    """Logits or probabilities, divided or multiplied, with the line."""
    method = sampled(tmp_path, "temperature=1.0", step)
    assert (method.scaling, method.scales_probabilities) == (how, probabilities)
    assert method.scaling_place.line == STEP_LINE


def test_a_function_beside_the_model_is_asked_too(tmp_path: Path) -> None:
    """By the name or the type of its first parameter."""
    text = HEAD + FORWARD
    for name, first in (("decode", "net"), ("sample", "writer: Model"), ("draw", "other: int")):
        text += f"def {name}({first}, ids, n, temperature=1.0):\n"
        text += f"    z = {first.partition(':')[0]}(ids)[:, -1] / temperature\n"
        text += "    return torch.multinomial(z.softmax(-1), 1)\n"
    made = specimen(tmp_path, text)
    found = PROBE.measure(made)
    assert isinstance(found, Sampling)
    assert [method.symbol for method in found.methods] == ["decode", "sample"]
    assert found.methods[0].line == line_of(made, "def decode")
    draws = [draw for method in found.methods for draw in method.draws]
    assert all(draw.total_variation < 0.15 for draw in draws)


@pytest.mark.parametrize(
    ("signature", "words", "promises"),
    [
        ("sample(self, ids, n)", "", True),
        ("generate(self, ids, n, top_k=5)", "", True),
        ("generate(self, ids, n, do_sample=False)", "", True),
        ("generate(self, ids, n)", "Sample the next tokens.", True),
        ("generate(self, ids, n)", "Continue each sample of the batch.", False),
        ("sample(self, ids, n)", "Greedy: takes the most likely token.", False),
        ("generate(self, ids, n, num_beams=1, top_k=5)", "", False),
        ("predict_next(self, ids, top_k=5)", "", False),
    ],
)
def test_what_promises_sampling(tmp_path: Path, signature: str, words: str, promises: bool) -> None:
    """Name, switch, filter or documentation; unless it says that it is greedy."""
    text = (
        f'    def {signature}:\n        """{words}"""\n        return self(ids)[:, -1].argmax(-1)\n'
    )
    found = PROBE.measure(specimen(tmp_path, HEAD + FORWARD + text))
    assert isinstance(found, Sampling)
    (method,) = found.methods
    assert method.greedy
    assert bool(method.promises) is promises
