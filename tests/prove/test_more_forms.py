"""Proofs about generation, about models without logits, and about branches for some layers."""

from __future__ import annotations

import pytest

from tests.examples import GROUP
from tests.probes.flow_models import TURNED
from tests.prove.forms import Form, Told, how_they_end

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
# Its state is its own: no call can be given one.
STATE = f"""{HEAD}\
    def forward(self, ids, state=None):
        x, last = self.mix(self.wte(ids), None if state is None else state.get("last"))
        if state is not None:
            state["last"] = last
        return self.lm_head(x)

    @torch.no_grad()
    def generate(self, ids, max_new_tokens):
        state, unread = {{}}, ids
        for _ in range(max_new_tokens):
            probs = self(unread, state)[:, -1].softmax(dim=-1)
            unread = torch.multinomial(probs, 1)
            ids = torch.cat([ids, unread], dim=1)
        return ids
"""
WHOLE = f"""{HEAD}\
    def forward(self, ids):
        return self.lm_head(self.mix(self.wte(ids))[0])

    @torch.no_grad()
    def generate(self, ids, max_new_tokens):
        text = ids
        for _ in range(max_new_tokens):
            probs = F.softmax(self(text)[:, -1], dim=-1)
            new = torch.multinomial(probs, 1)
            ids = torch.cat([ids, new], dim=1)
            text = ids
        return ids
"""
SCALED = """\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self, vocab_size, dim):
        super().__init__()
        self.wte = nn.Embedding(vocab_size, dim)
        self.mix = nn.GRU(dim, dim, batch_first=True)
        self.alpha = nn.Parameter(torch.tensor(0.5))
        self.lm_head = nn.Linear(dim, vocab_size)

    def forward(self, ids):
        x = self.wte(ids)
        x = x + self.alpha * self.mix(x)[0]
        x = x + self.alpha * self.mix(x)[0]
        return self.lm_head(x)
"""
BACKBONE = """\
import torch.nn.functional as F
from torch import nn


class Model(nn.Module):
    def __init__(self, vocab_size, dim, causal=True):
        super().__init__()
        self.wte = nn.Embedding(vocab_size, dim)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.up = nn.Linear(dim, dim)

    def forward(self, ids):
        x = self.wte(ids)
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        x = x + F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.up(x)
        return {"last_hidden_state": x, "norms": x.norm(dim=-1)}
"""
GROUPED = """\
from torch import nn


class Layer(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.mix = nn.GRU(dim, dim, batch_first=True)

    def forward(self, x):
        return self.mix(self.norm(x))[0]


class Model(nn.Module):
    def __init__(self, vocab_size, dim, n_layers=16, n_blocks=8):
        super().__init__()
        self.wte = nn.Embedding(vocab_size, dim)
        self.size = n_layers // n_blocks
        self.layers = nn.ModuleList(Layer(dim) for _ in range(n_layers))
        self.lm_head = nn.Linear(dim, vocab_size)

    def forward(self, ids):
        x, block = self.wte(ids), None
        for index, layer in enumerate(self.layers):
            y = layer(x if block is None else x + block)
            if index % self.size == 0:
                x, block = (x if block is None else x + block), y
            else:
                block = block + y
        return self.lm_head(x + block)
"""


PATHS = """\
import torch
import torch.nn.functional as F
from torch import nn


class Model(nn.Module):
    def __init__(self, vocab_size, dim):
        super().__init__()
        self.wte = nn.Embedding(vocab_size, dim)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.lm_head = nn.Linear(dim, vocab_size)
        self.flash = hasattr(F, "scaled_dot_product_attention")

    def forward(self, input_ids, attention_mask=None):
        x = self.wte(input_ids)
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        future = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1)
        if attention_mask is not None:
            hidden = future | ~attention_mask.bool()[:, None]
            return self.lm_head(x + F.scaled_dot_product_attention(q, k, v, ~hidden))
        if self.training:
            return self.lm_head(x + F.scaled_dot_product_attention(q, k, v, ~future))
        if self.flash:
            return self.lm_head(x + F.scaled_dot_product_attention(q, k, v, is_causal=True))
        scores = q @ k.transpose(1, 2) / x.shape[-1] ** 0.5
        return self.lm_head(x + scores.masked_fill(future, -torch.inf).softmax(-1) @ v)
"""

EXPERTS = """\
import torch
from torch import nn


class Experts(nn.Module):
    def __init__(self, dim, n_experts):
        super().__init__()
        self.w = nn.Parameter(torch.randn(n_experts, dim, dim) * 0.1)

    def forward(self, x, number):
        return (x @ self.w[number]).relu()


class Model(nn.Module):
    def __init__(self, vocab_size, dim, n_experts=5, k=2):
        super().__init__()
        self.wte = nn.Embedding(vocab_size, dim)
        self.k, self.gate = k, nn.Linear(dim, n_experts)
        self.experts = Experts(dim, n_experts)
        self.lm_head = nn.Linear(dim, vocab_size)

    def forward(self, ids):
        x = self.wte(ids).flatten(0, 1)
        weights, chosen = self.gate(x).softmax(-1).topk(self.k, dim=-1)
        out = torch.zeros_like(x)
        for number in range(self.gate.out_features):
            rows, slots = (chosen == number).nonzero(as_tuple=True)
            y = self.experts(x[rows], number) * weights[rows, slots, None]
            out.index_add_(0, rows, y)
        return self.lm_head(x + out).view(*ids.shape, -1)
"""

FORMS = {
    "stacked_experts_written_over": Form(
        "GD201", EXPERTS, "out.index_add_(0, rows, y)", "out[rows] = y"
    ),
    "a_leak_on_another_path": Form(
        "GD801", PATHS, "scores.masked_fill(future, -torch.inf)", "scores"
    ),
    "a_leak_under_a_mask": Form("GD801", PATHS, "future | ~attention_mask", "~attention_mask"),
    "a_leak_in_training": Form("GD801", PATHS, "v, ~future)", "v)"),
    "a_state_that_starts_anew": Form("GD415", STATE, 'state.get("last")', "None"),
    "a_text_that_is_forgotten": Form(
        "GD414", WHOLE, "text = ids\n        return", "text = new\n        return"
    ),
    "a_learnt_scale_as_number": Form(
        "GD108",
        SCALED,
        "self.alpha * self.mix(x)[0]\n        return",
        "self.alpha.item() * self.mix(x)[0]\n        return",
    ),
    "a_learnt_scale_as_float": Form(
        "GD108",
        SCALED,
        "self.alpha * self.mix(x)[0]\n        return",
        "float(self.alpha) * self.mix(x)[0]\n        return",
    ),
    "a_refused_call_of_a_method": Form("GD502", WHOLE, "dim=-1)", "axis_=-1)", "TypeError"),
    "hidden_states_that_mix_rows": Form(
        "GD802", BACKBONE, "x + self.up(x)", "x + self.up(x - x.mean(dim=0))"
    ),
    "hidden_states_without_gradient": Form("GD102", BACKBONE, "self.up(x)", "self.up(x).detach()"),
    "a_branch_for_some_layers": Form("GD102", GROUPED, "block + y", "block + y.detach()"),
    "angles_that_turn_nothing": Form(
        "GD805",
        f"import torch\nfrom torch import nn\n{TURNED}",
        "        q, k = turned(q, cos, sin), turned(k, cos, sin)\n",
        "",
    ),
}


@pytest.fixture(scope="module")
def told() -> Told:
    """How each written test ends, by form and by name of the test."""
    return how_they_end(FORMS)


@pytest.mark.parametrize("name", FORMS)
def test_a_form_is_proven(told: Told, name: str) -> None:
    """Its test fails by its own assertion on the sick, or as the user's code does."""
    sick = told.get(f"sick {name}")
    assert sick, "no test was written"
    assert all(how.startswith(FORMS[name].ends_by) for how in sick.values()), sick
    assert not any(told[f"healed {name}"].values()), told[f"healed {name}"]
