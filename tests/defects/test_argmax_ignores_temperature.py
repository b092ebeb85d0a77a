"""GD401, argmax-ignores-temperature: which choices are reported, what measurements say of them."""

from __future__ import annotations

import pytest

from gptdoctor.core.findings import Conviction, Status
from gptdoctor.core.measurements.crash import Crash
from gptdoctor.core.measurements.sampling import SampledMethod, Sampling, TemperatureDraw
from gptdoctor.defects.sampling.argmax_ignores_temperature import DEFECT
from tests.defects.marks import marked, plain
from tests.defects.records import NO_RECORD
from tests.defects.scanning import lines_of, scan_suspicions

HEAD = """\
import functools
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


"""

LOOP = """
def generate(model, ids, n, temperature=1.0, top_k=None, do_sample=True, greedy=False):
    for _ in range(n):
        z = model(ids)[:, -1]
{}
        ids = torch.cat([ids, token], dim=1)
    return ids
"""

IN_A_LOOP = {
    "at once": "token = torch.argmax(z / temperature, dim=-1, keepdim=True)  # here",
    "as a method": "token = (z / temperature).argmax(-1, keepdim=True)  # here",
    "times the reciprocal": "token = (z * (1 / temperature)).argmax(-1)[:, None]  # here",
    "a named reciprocal": """
        inverse = 1.0 / temperature
        token = (z * inverse).argmax(-1)[:, None]  # here
    """,
    "div in place": """
        z.div_(temperature)
        token = z.argmax(-1)[:, None]  # here
    """,
    "divided in place": """
        z /= max(temperature, 1e-5)
        token = z.argmax(-1)[:, None]  # here
    """,
    "through softmax and a name": """
        probs = F.softmax(z / temperature, dim=-1)
        token = torch.argmax(probs, dim=-1)[:, None]  # here
    """,
    "through a top-k filter": """
        z = z / temperature
        if top_k is not None:
            v, _ = torch.topk(z, top_k)
            z[z < v[:, [-1]]] = -float("inf")
        token = z.softmax(-1).argmax(-1, keepdim=True)  # here
    """,
    "max and its indices": "token = (z / temperature).max(dim=-1, keepdim=True).indices  # here",
    "the second of max": "token = torch.max(z / temperature, dim=-1, keepdim=True)[1]  # here",
    "max unpacked": "_, token = torch.max(z / temperature, -1, keepdim=True)  # here",
    "topk of one": "token = torch.topk(z / temperature, k=1).indices  # here",
    "topk unpacked": "_, token = (z / temperature).topk(1)  # here",
    "sorted": "token = (z / temperature).argsort(dim=-1, descending=True)[:, :1]  # here",
    "numpy": """
        probs = F.softmax(z / temperature, dim=-1).numpy()
        token = torch.from_numpy(np.argmax(probs, axis=-1))[:, None]  # here
    """,
    "both branches are greedy": """
        if do_sample:
            token = (z / temperature).argmax(-1, keepdim=True)  # here
        else:
            token = z.argmax(-1, keepdim=True)
    """,
    "in the branch for sampling": """
        if temperature > 0:
            token = (z / temperature).argmax(-1, keepdim=True)  # here
        else:
            token = z.argmax(-1, keepdim=True)
    """,
    "scaled where it is not one": """
        if temperature != 1.0:
            z = z / temperature
        token = z.argmax(-1, keepdim=True)  # here
    """,
}

REPORTED = {
    "an attribute": """
        class Writer(nn.Module):
            def write(self, ids, n):
                for _ in range(n):
                    z = self(ids)[:, -1] / self.temperature
                    ids = torch.cat([ids, z.argmax(-1, keepdim=True)], dim=1)  # here
                return ids
    """,
    "a configuration": """
        def sample(model, ids, config):
            return (model(ids)[:, -1] / config["temperature"]).argmax(-1)  # here
    """,
    "a helper scales": """
        def scale(z, temp):
            return torch.softmax(z / temp, dim=-1)

        def generate(model, ids, temperature):
            probs = scale(model(ids)[:, -1], temperature)
            return torch.argmax(probs, dim=-1)  # here
    """,
    "a helper chooses": """
        class Writer(nn.Module):
            def pick(self, probs):
                return probs.argmax(dim=-1, keepdim=True)  # here

            def generate(self, ids, tau=1.0):
                probs = F.softmax(self(ids)[:, -1] / tau, dim=-1)
                return torch.cat([ids, self.pick(probs)], dim=1)
    """,
    "a nested function": """
        def generate(model, ids, temperature):
            def choose(z):
                return (z / temperature).argmax(-1)  # here

            return choose(model(ids)[:, -1])
    """,
    "stored in place": """
        def generate(model, ids, at, temperature):
            token = (model(ids)[:, -1] / temperature).argmax(-1, keepdim=True)  # here
            ids.scatter_(1, at, token)
            return model(ids)
    """,
    "one letter": """
        def decode(z, T=1.0):
            return (z / T).argmax(-1)  # here
    """,
}

LEFT_ALONE = {
    "multinomial": "token = torch.multinomial(F.softmax(z / temperature, -1), 1)",
    "greedy at zero": """
        if temperature == 0:
            token = z.argmax(-1, keepdim=True)
        else:
            token = torch.multinomial(F.softmax(z / temperature, -1), 1)
    """,
    "greedy by a flag": """
        z = z / temperature
        if greedy:
            token = z.argmax(-1, keepdim=True)
        else:
            raise NotImplementedError
    """,
    "greedy unless sampling": """
        z = z / temperature
        if not do_sample:
            token = z.argmax(-1, keepdim=True)
    """,
    "an expression for greedy": """
        z = z / temperature
        token = z.argmax(-1, keepdim=True) if temperature < 1e-5 else self.draw(z)
    """,
    "top_k of one means greedy": """
        z = z / temperature
        if top_k == 1:
            token = z.argmax(-1, keepdim=True)
    """,
    "the Gumbel trick": """
        noise = -torch.log(-torch.log(torch.rand_like(z)))
        token = (z / temperature + noise).argmax(-1, keepdim=True)
    """,
    "exponential noise": """
        probs = F.softmax(z / temperature, -1)
        token = (probs / torch.empty_like(probs).exponential_(1)).argmax(-1, keepdim=True)
    """,
    "categorical": """
        d = torch.distributions.Categorical(logits=z / temperature)
        token = d.sample()[:, None]
        best = (z / temperature).argmax(-1)
    """,
    "no temperature": "token = z.argmax(-1, keepdim=True)",
    "scaled by something else": "token = (z / z.size(-1)).argmax(-1, keepdim=True)",
    "confidence only": """
        confidence = (z / temperature).softmax(-1).max(dim=-1).values
        token = torch.multinomial(z.softmax(-1), 1)
    """,
}

LEFT_ALONE_WHOLE = {
    "a metric": """
        def accuracy(q, k, labels, temperature):
            return ((q @ k.T / temperature).argmax(-1) == labels).float().mean()
    """,
    "a router": """
        class Router(nn.Module):
            def forward(self, x):
                probs = F.softmax(self.gate(x) / self.temperature, dim=-1)
                return probs, probs.argmax(-1)
    """,
    "weights leave beside the choice": """
        def route(x, w, temperature):
            value, index = (x @ w / temperature).softmax(-1).max(dim=-1)
            return value, index
    """,
    "a sparse distribution that can be derived": """
        def differentiable_topk(x, k, temperature=1.0):
            kept = []
            for _ in range(k):
                values, indices = (x / temperature).softmax(dim=-1).topk(1, dim=-1)
                kept.append(torch.zeros_like(x).scatter_(-1, indices, values))
                x.scatter_(-1, indices, float("-inf"))
            return torch.cat(kept, dim=-1)
    """,
    "greedy by name": """
        def greedy_search(model, ids, temperature):
            return (model(ids)[:, -1] / temperature).argmax(-1)
    """,
    "a local that is temporary": """
        def generate(model, ids):
            temp = model.scale(ids)
            return torch.cat([ids, (model(ids)[:, -1] / temp).argmax(-1)])
    """,
    "a helper draws": """
        def draw(z):
            return torch.multinomial(z.softmax(-1), 1)

        def generate(model, ids, temperature):
            z = model(ids)[:, -1] / temperature
            best = z.argmax(-1)
            return torch.cat([ids, draw(z)], dim=1), best
    """,
}


def in_loop(body: str) -> str:
    """A statement or a block as the body of a generating loop."""
    lines = plain(body).splitlines()
    return HEAD + LOOP.format("\n".join(f"        {line}" for line in lines))


@pytest.mark.parametrize("body", IN_A_LOOP.values(), ids=IN_A_LOOP)
def test_a_choice_that_ignores_the_temperature_is_reported(body: str) -> None:
    """All spellings of a scaled argmax are seen, on the line of the choice."""
    text = in_loop(body)
    assert lines_of("GD401", text) == marked(text)


@pytest.mark.parametrize("snippet", REPORTED.values(), ids=REPORTED)
def test_it_is_followed_through_names_and_helpers(snippet: str) -> None:
    """The temperature may be an attribute or belong to a helper's caller."""
    text = HEAD + plain(snippet)
    assert lines_of("GD401", text) == marked(text)


@pytest.mark.parametrize("body", LEFT_ALONE.values(), ids=LEFT_ALONE)
def test_right_sampling_and_wanted_greed_are_left_alone(body: str) -> None:
    """Draws, noise and branches for greedy decoding are healthy."""
    assert lines_of("GD401", in_loop(body)) == []


@pytest.mark.parametrize("snippet", LEFT_ALONE_WHOLE.values(), ids=LEFT_ALONE_WHOLE)
def test_choices_of_other_things_are_left_alone(snippet: str) -> None:
    """An argmax over scaled values need not choose a token."""
    assert lines_of("GD401", HEAD + plain(snippet)) == []


def test_the_details_tell_what_a_codemod_wants() -> None:
    """Operand, temperature, form and shape of the choice."""
    body = "token = F.softmax(z / temperature, -1).max(dim=1, keepdim=True)[1]"
    (found,) = (one for one in scan_suspicions(in_loop(body)) if one.rule == "GD401")
    assert found.symbol == "generate"
    assert found.details == {
        "operand": "F.softmax(z / temperature, -1)",
        "probabilities": True,
        "temperature": "temperature",
        "call": "max",
        "expression": "F.softmax(z / temperature, -1).max(dim=1, keepdim=True)[1]",
        "dim": "1",
        "keepdim": True,
    }


def draw(temperature: float, share: float, variation: float) -> TemperatureDraw:
    """A draw of 512 rows."""
    return TemperatureDraw(
        temperature=temperature,
        rows=512,
        distinct_tokens=1 if share == 1 else 90,
        total_variation=variation,
        entropy=0.0,
        argmax_share=share,
    )


def convictions(*draws: TemperatureDraw, crash: Crash | None = None) -> list[Conviction]:
    """What is read in one method's draws."""
    method = SampledMethod(
        path="model.py",
        symbol="Net.generate",
        line=3,
        parameter="temperature",
        draws=draws,
        crash=crash,
    )
    return list(DEFECT.convicts["sampling"](Sampling(methods=(method,), generates=True), NO_RECORD))


def test_greedy_at_every_temperature_confirms() -> None:
    """One token in all rows, at 0.25, at 1 and at 4."""
    (found,) = convictions(draw(0.25, 1.0, 0.45), draw(1, 1.0, 0.87), draw(4, 1.0, 0.91))
    assert found.status is Status.CONFIRMED
    assert found.place is not None
    assert (found.place.symbol, found.place.line) == ("Net.generate", None)
    assert found.values["argmax_shares"] == (1.0, 1.0, 1.0)


def test_draws_that_follow_the_temperature_refute() -> None:
    """Right samplers lie within a tenth of softmax(z / T)."""
    (found,) = convictions(draw(0.25, 0.3, 0.03), draw(1, 0.08, 0.1), draw(4, 0.02, 0.1))
    assert found.status is Status.REFUTED


@pytest.mark.parametrize(
    "draws",
    [
        (draw(0.25, 0.08, 0.5), draw(1, 0.08, 0.05), draw(4, 0.08, 0.5)),
        (draw(0.25, 1.0, 0.45),),
        (),
    ],
    ids=["temperature ignored, yet random", "cold only", "nothing drawn"],
)
def test_other_draws_convict_nobody(draws: tuple[TemperatureDraw, ...]) -> None:
    """GD401 is about greed; a sampler that forgets its temperature is another defect."""
    assert convictions(*draws) == []


def test_a_crash_convicts_nobody() -> None:
    """What did not run shows nothing."""
    crash = Crash(stage="generate", kind="TypeError", message="")
    assert convictions(draw(1, 1.0, 0.9), crash=crash) == []
