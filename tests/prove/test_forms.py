"""Proofs of what a short example does not show: losses of methods, inputs beside the text, arrays.

One examination tells of all, and one Python without gptdoctor runs all the tests.
"""

from __future__ import annotations

import tempfile
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import pytest

from gptdoctor.prove.written import confirmed, file_of, health_tests
from gptdoctor.report.json_document import from_document
from tests.examples import GROUP, examined
from tests.prove.test_proofs import run_tests

pytestmark = pytest.mark.xdist_group(GROUP)
HEAD = """\
import torch
import torch.nn.functional as F
from torch import nn


class Model(nn.Module):
    def __init__(self, vocab_size, dim):
        super().__init__()
        self.wte = nn.Embedding(vocab_size, dim)
        self.mix = nn.GRU(dim, dim, batch_first=True)
        self.lm_head = nn.Linear(dim, vocab_size)

"""
METHOD = f"""{HEAD}\
    def forward(self, input_ids):
        return self.lm_head(self.mix(self.wte(input_ids))[0])

    def compute_loss(self, input_ids, labels):
        logits = self(input_ids)[:, :-1]
        each = F.cross_entropy(logits.transpose(1, 2), labels[:, 1:], reduction="none")
        counted = (labels[:, 1:] != -100).float()
        return (each * counted).sum() / counted.sum().clamp(min=1)
"""
SWITCH = f"""{HEAD}\
    def forward(self, ids, return_loss=False):
        text = ids[:, :-1] if return_loss else ids
        logits = self.lm_head(self.mix(self.wte(text))[0])
        if not return_loss:
            return logits
        return F.cross_entropy(logits.transpose(1, 2), ids[:, 1:])
"""
FLAT = f"""{HEAD}\
    def forward(self, idx, targets=None):
        logits = self.lm_head(self.mix(self.wte(idx))[0])
        if targets is None:
            return logits, None
        logits = logits.flatten(0, 1)
        return logits, F.cross_entropy(logits, targets.flatten())
"""
ARRAY = f"""{HEAD}\
    def forward(self, idx):
        x = self.wte(idx)
        x = x + self.mix(x)[0]
        return F.linear(x, self.wte.weight) + self.lm_head(x)
"""
TWO_TEXTS = """\
import torch
import torch.nn.functional as F
from torch import nn


class Model(nn.Module):
    def __init__(self, vocab_size, dim):
        super().__init__()
        self.source = nn.Embedding(vocab_size, dim)
        self.target = nn.Embedding(vocab_size, dim)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.lm_head = nn.Linear(dim, vocab_size)

    def forward(self, src, tgt):
        memory = self.source(src).mean(1, keepdim=True)
        x = self.target(tgt)
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        x = x + F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.lm_head((x + memory).tanh())
"""
PICTURES = TWO_TEXTS.replace(
    "self.source = nn.Embedding(vocab_size, dim)", "self.source = nn.Conv2d(3, dim, 4, stride=4)"
).replace(
    "    def forward(self, src, tgt):\n        memory = self.source(src).mean(1, keepdim=True)\n"
    "        x = self.target(tgt)",
    "    def forward(self, input_ids, images):\n"
    "        memory = self.source(images).flatten(2).mean(-1)[:, None]\n"
    "        x = self.target(input_ids)",
)
BY_NAME = f"""{METHOD}
    @torch.no_grad()
    def generate(self, ids, max_new_tokens):
        for _ in range(max_new_tokens):
            probs = self.forward(ids)[:, -1].softmax(dim=-1)
            ids = torch.cat([ids, torch.multinomial(probs, 1)], dim=1)
        return ids
"""


class Form(NamedTuple):
    """What a rule is proven of, with what makes it sick."""

    code: str
    healed: str
    right: str
    wrong: str


FORMS = {
    "a_mean_of_a_method": Form("GD605", METHOD, "counted.sum().clamp(min=1)", "each.numel()"),
    "a_loss_of_a_method": Form(
        "GD606", METHOD, "return (each * counted).sum()", "return (each.detach() * counted).sum()"
    ),
    "a_shift_behind_a_switch": Form(
        "GD603",
        SWITCH,
        "logits.transpose(1, 2), ids[:, 1:]",
        "logits[:, :-1].transpose(1, 2), ids[:, 2:]",
    ),
    "flat_logits": Form(
        "GD607", FLAT, "(logits, targets.flatten())", "(logits[:-1], targets.flatten()[1:])"
    ),
    "an_array_on_the_way": Form(
        "GD108", ARRAY, "x = self.wte(idx)", "x = torch.from_numpy(self.wte(idx).detach().numpy())"
    ),
    "a_list_on_the_way": Form(
        "GD108", ARRAY, "x = self.wte(idx)", "x = torch.tensor(self.wte(idx).tolist())"
    ),
    "two_texts": Form("GD801", TWO_TEXTS, "is_causal=True", "is_causal=False"),
    "pictures": Form("GD801", PICTURES, "is_causal=True", "is_causal=False"),
    "forward_by_its_name": Form("GD410", BY_NAME, "    @torch.no_grad()\n", ""),
}


@pytest.fixture(scope="module")
def told() -> dict[str, dict[str, str]]:
    """How each written test ends, by form and by name of the test."""
    folder = Path(tempfile.mkdtemp(prefix="gptdoctor-forms-")).resolve()
    (folder / "pyproject.toml").write_text("")
    for state in ("sick", "healed"):
        (folder / state).mkdir()
    for name, form in FORMS.items():
        assert form.right in form.healed, name
        sick = form.healed.replace(form.right, form.wrong)
        (folder / "sick" / f"{name}.py").write_text(sick)
        (folder / "healed" / f"{name}.py").write_text(form.healed)
    return run_tests(list(_cases(folder)))


def _cases(folder: Path) -> list[dict[str, Any]]:
    examination = from_document(examined(folder))
    cases = []
    for model in [one for one in examination.models if one.path.startswith("sick/")]:
        name = Path(model.path).stem
        findings = confirmed(model, examination.findings)
        wanted = [one for one in findings if one.rule == FORMS[name].code]
        tests = health_tests(model, wanted)
        for state in ("sick", "healed") if tests else ():
            text = file_of(model, tests, PurePosixPath())
            where = {"name": f"{state} {name}", "folder": str(folder / state)}
            cases.append({**where, "text": text, "names": [one.name for one in tests]})
    return cases


@pytest.mark.parametrize("name", FORMS)
def test_a_form_is_proven(told: dict[str, dict[str, str]], name: str) -> None:
    """Its test fails by its own assertion on the sick, and passes on the healed."""
    sick = told.get(f"sick {name}")
    assert sick, "no test was written"
    assert all(how.startswith("AssertionError") for how in sick.values()), sick
    assert not any(told[f"healed {name}"].values()), told[f"healed {name}"]
