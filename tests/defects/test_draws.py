"""GD403, GD404, GD416 and GD417: what the text shows of what tokens are drawn from."""

from __future__ import annotations

import pytest

from tests.defects.marks import marked
from tests.defects.scanning import lines_of

HEAD = """\
import torch
import torch.nn.functional as F
from torch import nn
from torch.distributions import Categorical


class Writer(nn.Module):
    def __init__(self, vocab, width, temperature):
        super().__init__()
        self.head = nn.Linear(width, vocab)
        self.temperature = temperature

    def generate(self, model, ids, steps, temperature=1.0, top_k=5, greedy=False, beta=1.0):
        for _ in range(steps):
            logits = model(ids)[:, -1]
"""
INVERTED = {
    "by an operator": """
            probs = F.softmax(logits * temperature, dim=-1)  # here
            ids = torch.cat([ids, torch.multinomial(probs, 1)], 1)
    """,
    "from the left": """
            logits = temperature * logits  # here
            ids = torch.cat([ids, torch.softmax(logits, -1).multinomial(1)], 1)
    """,
    "in place": """
            logits *= temperature  # here
            ids = torch.cat([ids, torch.multinomial(logits.softmax(-1), 1)], 1)
    """,
    "by a method, then a filter": """
            logits = logits.mul(max(temperature, 1e-5))  # here
            v, _ = torch.topk(logits, top_k)
            logits[logits < v[:, [-1]]] = -float("inf")
            ids = torch.cat([ids, torch.multinomial(logits.softmax(-1), 1)], 1)
    """,
    "by the reciprocal": """
            cold = 1.0 / temperature
            logits = logits / cold  # here
            ids = torch.cat([ids, Categorical(logits=logits).sample()[:, None]], 1)
    """,
    "for whoever draws": """
            scores = torch.softmax(logits * temperature, -1)  # here
        return scores
    """,
    "where it is asked for": """
            if temperature > 0:
                logits = logits * temperature  # here
        return draw_one(torch.softmax(logits, -1))
    """,
    "by what the class was given": """
            logits = logits * self.temperature  # here
            ids = torch.cat([ids, torch.multinomial(logits.softmax(-1), 1)], 1)
    """,
}
UPRIGHT = {
    "divided": """
            probs = F.softmax(logits / temperature, dim=-1)
            ids = torch.cat([ids, torch.multinomial(probs, 1)], 1)
    """,
    "times the reciprocal": """
            temperature = 1 / temperature
            probs = F.softmax(logits * temperature, dim=-1)
            ids = torch.cat([ids, torch.multinomial(probs, 1)], 1)
    """,
    "an inverse temperature": """
            probs = F.softmax(logits * beta, dim=-1)
            ids = torch.cat([ids, torch.multinomial(probs, 1)], 1)
    """,
    "powers of probabilities": """
            probs = logits.softmax(-1) ** (1 / temperature)
            ids = torch.cat([ids, torch.multinomial(probs, 1)], 1)
    """,
    "logarithms of probabilities": """
            logs = logits.softmax(-1).log() / temperature
            ids = torch.cat([ids, torch.multinomial(logs.exp(), 1)], 1)
    """,
    "undone": """
            logits = logits / temperature
            scores = torch.softmax(logits, -1)
            logits = logits * temperature
        return scores, logits
    """,
    "a loss": """
            loss = F.kl_div(torch.log_softmax(logits / temperature, -1), ids) * temperature
        return loss
    """,
    "on one of two ways": """
            if greedy:
                logits = logits * temperature
            probs = logits.softmax(-1)
            ids = torch.cat([ids, torch.multinomial(probs, 1)], 1)
    """,
}
ON_PROBABILITIES = {
    "and drawn": """
            probs = logits.softmax(-1) / temperature  # here
            ids = torch.cat([ids, torch.multinomial(probs, 1)], 1)
    """,
    "and softened again": """
            probs = F.softmax(logits, dim=-1)
            probs = torch.softmax(probs / temperature, dim=-1)  # here
            ids = torch.cat([ids, torch.multinomial(probs, 1)], 1)
    """,
    "in place": """
            probs = F.softmax(logits[:, :50], dim=-1)
            probs /= temperature  # here
            ids = torch.cat([ids, probs.multinomial(num_samples=1)], 1)
    """,
}
OVER_LOGITS = {
    "of a name": """
            ids = torch.cat([ids, torch.multinomial(logits / temperature, 1)], 1)  # here
    """,
    "of a filter that is not in sight": """
            filtered_logits = keep_best(logits, top_k)
            ids = torch.cat([ids, torch.multinomial(filtered_logits / temperature, 1)], 1)  # here
    """,
    "of logarithms": """
            logs = torch.log_softmax(model(ids)[:, -1], dim=-1)
            ids = torch.cat([ids, logs.multinomial(1)], 1)  # here
    """,
    "of a filter": """
            z = model(ids)[:, -1]
            z = z.masked_fill(z < z.topk(top_k).values[:, [-1]], -torch.inf)
            ids = torch.cat([ids, torch.multinomial(z, 1)], 1)  # here
    """,
    "of a head": """
            scores = self.head(model(ids))[:, -1]
            ids = torch.cat([ids, torch.multinomial(scores, 1)], 1)  # here
    """,
    "of processors": """
            scores = self.model.generation_head(model(ids))
            next_scores = logits_processor(ids, scores)
            ids = torch.cat([ids, torch.multinomial(next_scores, 1)], 1)  # here
    """,
    "of an output": """
            scores = model(ids).logits[:, -1, :]
            drawn = Categorical(scores).sample()  # here
    """,
}
OVER_PROBABILITIES = {
    "softmax": """
            ids = torch.cat([ids, torch.multinomial(logits.softmax(-1), 1)], 1)
    """,
    "exponentials": """
            ids = torch.cat([ids, torch.multinomial(logits.exp(), 1)], 1)
    """,
    "weights of another kind": """
            ids = torch.cat([ids, torch.multinomial(logits.relu() + 1e-3, 1)], 1)
    """,
    "processed, then softened": """
            scores = logits_processor(ids, self.model.generation_head(model(ids)))
            ids = torch.cat([ids, torch.multinomial(F.softmax(scores, dim=-1), 1)], 1)
    """,
    "changed in place": """
            logits.exp_()
            ids = torch.cat([ids, torch.multinomial(logits, 1)], 1)
    """,
    "what somebody makes of them": """
            logits = self.sharpen(logits)
            ids = torch.cat([ids, torch.multinomial(logits, 1)], 1)
    """,
    "one of two": """
            scores = logits if greedy else logits.softmax(-1)
            ids = torch.cat([ids, torch.multinomial(scores, 1)], 1)
    """,
    "weights of data": """
            ids = torch.multinomial(torch.ones(5), 1)
    """,
    "weights whose tail is cut to nothing": """
            weights = model.weights(ids)
            weights[weights < 0.1] = 0
            ids = torch.multinomial(weights, 1)
    """,
    "a distribution of logits": """
            drawn = Categorical(logits=logits).sample()
    """,
}
AS_LOGITS = {
    "in the call": "drawn = Categorical(logits=logits.softmax(-1)).sample()  # here",
    "by a name": "p = F.softmax(logits, -1)\n            drawn = Categorical(logits=p)  # here",
    "in torch's own words": "d = torch.distributions.Categorical(logits=torch.softmax(logits, 1))"
    "  # here",
}


def found(rule: str, body: str) -> tuple[list[int], list[int]]:
    """The lines that a rule reports in the loop, and those that are marked."""
    text = f"{HEAD}            {body.strip()}\n"
    return lines_of(rule, text), marked(text)


@pytest.mark.parametrize("body", INVERTED.values(), ids=INVERTED)
def test_logits_times_a_temperature_are_seen(body: str) -> None:
    """Where they are scaled, if a token is drawn from them."""
    seen, wanted = found("GD403", body)
    assert seen == wanted


@pytest.mark.parametrize("body", UPRIGHT.values(), ids=UPRIGHT)
def test_a_temperature_in_its_place_is_left_alone(body: str) -> None:
    """Whatever it is written as."""
    assert [found(rule, body)[0] for rule in ("GD403", "GD404")] == [[], []]


@pytest.mark.parametrize("body", ON_PROBABILITIES.values(), ids=ON_PROBABILITIES)
def test_a_temperature_on_probabilities_is_seen(body: str) -> None:
    """And is not said to be inverted as well."""
    seen, wanted = found("GD404", body)
    assert seen == wanted
    assert found("GD403", body)[0] == []


@pytest.mark.parametrize("body", OVER_LOGITS.values(), ids=OVER_LOGITS)
def test_draws_from_logits_are_seen(body: str) -> None:
    """Where they are drawn."""
    seen, wanted = found("GD416", body)
    assert seen == wanted


@pytest.mark.parametrize("body", OVER_PROBABILITIES.values(), ids=OVER_PROBABILITIES)
def test_draws_from_what_may_be_weights_are_left_alone(body: str) -> None:
    """Only what is plainly logits counts."""
    assert found("GD416", body)[0] == []


def test_what_callers_give_decides_of_an_argument() -> None:
    """A parameter that is called logits, and is given probabilities."""
    text = "import torch\n\n\ndef draw(logits):\n    return torch.multinomial(logits, 1)\n"
    assert lines_of("GD416", text) == [5]
    assert lines_of("GD416", f"{text}\n\ndef go(z):\n    return draw(z.softmax(-1))\n") == []


@pytest.mark.parametrize("body", AS_LOGITS.values(), ids=AS_LOGITS)
def test_probabilities_that_are_called_logits_are_seen(body: str) -> None:
    """Where the distribution is made."""
    seen, wanted = found("GD417", body)
    assert seen == wanted


def test_logits_that_are_called_logits_are_left_alone() -> None:
    """And logarithms of probabilities."""
    assert found("GD417", "d = Categorical(logits=logits / temperature)")[0] == []
    assert found("GD417", "d = Categorical(logits=logits.softmax(-1).log())")[0] == []
    assert found("GD417", "d = Categorical(probs=logits.softmax(-1))")[0] == []


HELPERS = {
    "a scale of a head's": "def f(logits, temperature: torch.Tensor):\n"
    "    return logits * temperature",
    "learnt": "def f(logits, temperature: nn.Parameter):\n    return logits * temperature",
    "a factor for cosines": "def f(logits, temperature=20.0):\n    return logits * temperature",
    "called the inverse": 'def f(logits, temperature=1.0):\n    """An inverse temperature."""\n'
    "    return logits * temperature",
    "no logits": "def f(noise, temperature=1.0):\n    return noise * temperature",
    "for a log": "def f(logits, temperature=1.0):\n    print(logits * temperature)",
}


@pytest.mark.parametrize("body", HELPERS.values(), ids=HELPERS)
def test_a_helper_that_scales_by_something_else_is_left_alone(body: str) -> None:
    """What multiplies is no sampling temperature, or what is multiplied no logits."""
    assert lines_of("GD403", f"import torch\nfrom torch import nn\n\n\n{body}\n") == []


def test_a_helper_that_multiplies_is_seen() -> None:
    """Its parameter is a number by default, by its annotation or where it is compared."""
    text = """
import torch

def by_default(logits, temperature=0.1):
    logits = logits * temperature  # here
    return logits

def annotated(token_logits, temperature: float):
    return token_logits * temperature  # here

def compared(logits, temperature):
    if temperature == 0:
        return logits.argmax(-1)
    return torch.multinomial(torch.softmax(logits * temperature, -1), 1)  # here
"""
    assert lines_of("GD403", text) == marked(text)
