"""GD402, GD408, GD409, GD410 and GD412: what the text shows of functions that generate."""

from __future__ import annotations

import pytest

from tests.defects.marks import marked
from tests.defects.scanning import lines_of

HEAD = """\
import torch
from torch import nn


"""
LOOP = """\
    for _ in range(steps):
        probs = model(ids)[:, -1].softmax(dim=-1)
        token = torch.multinomial(probs, 1)
        ids = torch.cat([ids, token], dim=1)
    return ids
"""
METHOD = """\
class Writer(nn.Module):
    @torch.no_grad()
    def generate(self, ids, steps):
        self.eval()  # here
        for _ in range(steps):
            probs = self(ids)[:, -1].softmax(dim=-1)
            ids = torch.cat([ids, torch.multinomial(probs, 1)], dim=1)
        return ids
"""
NO_GRAD = "@torch.no_grad()\n"


def seen(rule: str, text: str) -> tuple[list[int], list[int]]:
    """The lines that a rule reports, and those that are marked."""
    return lines_of(rule, f"{HEAD}{text}"), marked(f"{HEAD}{text}")


UNUSED = {
    "a default": f"{NO_GRAD}def generate(model, ids, steps, temperature=1.0):  # here\n{LOOP}",
    "on its own line": f"{NO_GRAD}def write(\n    model,\n    ids,\n    steps,\n"
    f"    temp,  # here\n):\n{LOOP}",
    "asked for a switch": f"{NO_GRAD}def sample(model, ids, steps, temperature=1.0):  # here\n"
    "    greedy = temperature == 0.0\n" + LOOP,
    "scaled and dropped": f"{NO_GRAD}def sample(model, ids, steps, tau):\n"
    + LOOP.replace("        token", "        cold = probs / tau  # here\n        token"),
}
USED = {
    "a helper": LOOP.replace("probs, 1", "sharpen(probs, temperature), 1"),
    "a function inside": "    def scale(z):\n        return z / temperature\n\n" + LOOP,
    "all names at once": LOOP.replace("model(ids)", "model(ids, **locals())"),
    "kept for a later step": "    cold = 1 / temperature\n"
    + LOOP.replace(".softmax", ".mul(cold).softmax"),
}


@pytest.mark.parametrize("text", UNUSED.values(), ids=UNUSED)
def test_a_temperature_that_nothing_uses_is_seen(text: str) -> None:
    """At the parameter, or where its only use is dropped."""
    found, wanted = seen("GD402", text)
    assert found == wanted


@pytest.mark.parametrize("body", USED.values(), ids=USED)
def test_a_temperature_that_something_uses_is_left_alone(body: str) -> None:
    """Whatever it is used for."""
    text = f"{NO_GRAD}def generate(model, ids, steps, temperature=1.0):\n{body}"
    assert seen("GD402", text)[0] == []


def test_who_draws_nothing_need_not_use_a_temperature() -> None:
    """A loss that other losses share their signature with."""
    assert seen("GD402", "def loss(z, y, temperature=1.0):\n    return (z - y).sum()\n")[0] == []


@pytest.mark.parametrize("name", ["eos_token_id", "eos", "stop_tokens", "end_id"])
def test_an_end_that_nothing_asks_for_is_seen(name: str) -> None:
    """Under all its names; what is asked for is left alone, and what only ends a range."""
    text = f"{NO_GRAD}def generate(model, ids, steps, {name}=None):  # here\n{LOOP}"
    found, wanted = seen("GD412", text)
    assert found == wanted
    asked = text.replace(
        "    return ids", f"        if (token == {name}).all():\n            break"
    )
    assert seen("GD412", asked)[0] == []
    assert seen("GD412", text.replace(f"{name}=None", "start=0, ending=None"))[0] == []


KEEPING = {
    "a function": f"def generate(model, ids, steps):  # here\n{LOOP}",
    "in a while": "def generate(model, ids, steps):  # here\n"
    + LOOP.replace("for _ in range(steps)", "while ids.size(1) < steps"),
    "a method": METHOD.replace("    @torch.no_grad()\n", "")
    .replace("        self.eval()  # here\n", "")
    .replace("ids, steps):", "ids, steps):  # here"),
    "the likeliest": "def decode(model, ids, steps):  # here\n"
    + LOOP.replace("torch.multinomial(probs, 1)", "probs.argmax(-1, keepdim=True)"),
}
LETTING_GO = {
    "a decorator": f"{NO_GRAD}def generate(model, ids, steps):\n{LOOP}",
    "a decorator of somebody's own": f"@evaluating\ndef generate(model, ids, steps):\n{LOOP}",
    "a block": "def generate(model, ids, steps):\n    with torch.inference_mode():\n"
    + LOOP.replace("    ", "        ", 1).replace("\n    ", "\n        "),
    "one step": "def step(model, ids):\n    return torch.multinomial(model(ids)[:, -1].exp(), 1)\n",
    "what is learned from": "def rollout(model, ids, steps):\n    logs = []\n"
    + LOOP.replace("        ids =", "        logs.append(log_prob(probs, token))\n        ids ="),
    "its caller's block": f"def generate(model, ids, steps):\n{LOOP}\n\n"
    "def show(model, ids):\n    with torch.no_grad():\n        return generate(model, ids, 9)\n",
    "in private": f"def _generate(model, ids, steps):\n{LOOP}",
    "no model that was given": "def shuffle(ids, steps):\n"
    + LOOP.replace("model(ids)", "torch.rand(ids.shape)"),
}


@pytest.mark.parametrize("text", KEEPING.values(), ids=KEEPING)
def test_generating_with_gradients_is_seen(text: str) -> None:
    """Where the function begins."""
    found, wanted = seen("GD410", text)
    assert found == wanted


@pytest.mark.parametrize("text", LETTING_GO.values(), ids=LETTING_GO)
def test_generating_without_gradients_is_left_alone(text: str) -> None:
    """Or where somebody else decides."""
    assert seen("GD410", text)[0] == []


def test_a_mode_that_is_left_is_seen() -> None:
    """In a method of the network that generates."""
    found, wanted = seen("GD409", METHOD)
    assert found == wanted == [8]


RESTORED = {
    "train, where it trained": METHOD.replace(
        "        self", "        was = self.training\n        self", 1
    ).replace("        return", "        if was:\n            self.train()\n        return"),
    "train, in the middle of training": METHOD.replace("generate", "on_epoch_end").replace(
        "        return", "        self.train()\n        return"
    ),
    "train, with its own mode": METHOD.replace(
        "        return", "        self.train(self.mode)\n        return"
    ),
    "as it was": METHOD.replace(
        "        self", "        was = self.training\n        self", 1
    ).replace("        return", "        self.train(was)\n        return"),
    "a decorator": METHOD.replace("@torch.no_grad()", "@in_evaluation"),
    "on demand": METHOD.replace(
        "        self.eval()", "        if steps:\n            self.eval()"
    ),
    "another's mode": METHOD.replace("self.eval()", "self.draft.eval()"),
    "no network": METHOD.replace("(nn.Module)", ""),
    "nothing generated": "class Net(nn.Module):\n    def freeze(self):\n        self.eval()\n",
}


@pytest.mark.parametrize("text", RESTORED.values(), ids=RESTORED)
def test_a_mode_that_may_be_put_back_is_left_alone(text: str) -> None:
    """Or that is another's."""
    assert seen("GD409", text)[0] == []


TRAINING = METHOD.replace("self.eval()", "self.train()")
IN_TRAINING = {
    "a method": TRAINING,
    "said in full": METHOD.replace("self.eval()", "self.train(mode=True)"),
    "put back afterwards": TRAINING.replace(
        "        return", "        self.eval()\n        return"
    ),
    "a model that is given": "def generate(model, ids, steps):\n    model.train()  # here\n" + LOOP,
}
NOT_IN_TRAINING = {
    "off again": TRAINING.replace("  # here", "\n        self.eval()"),
    "off in the loop": TRAINING.replace(
        "            probs", "            self.eval()\n            probs"
    ),
    "another model": TRAINING.replace("self.train()", "self.draft.train()"),
    "on demand": TRAINING.replace(
        "        self.train()  # here", "        if steps:\n            self.train()"
    ),
    "as it was": TRAINING.replace("self.train()", "self.train(was)"),
    "off": TRAINING.replace("self.train()", "self.train(False)"),
    "afterwards": METHOD.replace("        return", "        self.train()\n        return"),
    "to tell how sure it is": TRAINING.replace("generate(", "mc_dropout_generate("),
    "what is learned from": TRAINING.replace(
        "        return", "        ids.sum().backward()\n        return"
    ),
    "nothing generated": "def fit(model, ids):\n    model.train()\n    return model(ids)\n",
}


@pytest.mark.parametrize("text", IN_TRAINING.values(), ids=IN_TRAINING)
def test_a_model_that_generates_in_training_mode_is_seen(text: str) -> None:
    """At the switch, whatever is put back afterwards."""
    found, wanted = seen("GD408", text)
    assert found == wanted != []


@pytest.mark.parametrize("text", NOT_IN_TRAINING.values(), ids=NOT_IN_TRAINING)
def test_a_model_that_may_generate_in_another_mode_is_left_alone(text: str) -> None:
    """Or one that is to draw with dropout."""
    assert seen("GD408", text)[0] == []
