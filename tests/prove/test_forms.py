"""Proofs of what a short example does not show: losses of methods, inputs beside the text, arrays.

One examination tells of all, and one Python without gptdoctor runs all the tests.
"""

from __future__ import annotations

import pytest

from tests.examples import GROUP
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

EXPERTS = f"""{HEAD}\
        self.layers = nn.ModuleList(Block(dim) for _ in range(2))

    def forward(self, ids):
        x = self.mix(self.wte(ids))[0]
        for layer in self.layers:
            x = layer(x)
        return self.lm_head(x)


class Block(nn.Module):
    def __init__(self, dim, num_experts=5, dropout=0.1):
        super().__init__()
        self.dropout = dropout
        self.router = nn.Linear(dim, num_experts, bias=False)
        self.experts = nn.ModuleList(nn.Linear(dim, dim) for _ in range(num_experts))

    def forward(self, x):
        flat = F.dropout(x, self.dropout, self.training).flatten(0, 1)
        weights, chosen = self.router(flat).softmax(-1).topk(2, dim=-1)
        out = torch.zeros_like(flat)
        for number, expert in enumerate(self.experts):
            rows, slots = torch.where(chosen == number)
            if rows.numel() == 0:
                continue
            out[rows] += weights[rows, slots, None] * expert(flat[rows])
        return x + out.view_as(x)
"""
STACKS = """\
import torch
import torch.nn.functional as F
from torch import einsum, nn


class Model(nn.Module):
    def __init__(self, vocab_size, dim, experts=5):
        super().__init__()
        self.wte = nn.Embedding(vocab_size, dim)
        self.mix = nn.GRU(dim, dim, batch_first=True)
        self.w_router = nn.Parameter(torch.randn(dim, experts) * dim**-0.5)
        self.w_in = nn.Parameter(torch.randn(experts, dim, dim) * dim**-0.5)
        self.lm_head = nn.Linear(dim, vocab_size)

    def forward(self, ids):
        x = self.mix(self.wte(ids))[0]
        scores = einsum("b t d, d e -> b t e", x, self.w_router)
        top, chosen = scores.topk(2, dim=-1)
        gates = torch.zeros_like(scores).scatter(-1, chosen, top.softmax(dim=-1))
        out = einsum("b t d, e d f -> b t e f", x, self.w_in)
        return self.lm_head(x + einsum("b t e f, b t e -> b t f", out, gates))
"""
MASKED = """\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self, vocab_size, dim, heads=4):
        super().__init__()
        self.wte = nn.Embedding(vocab_size, dim)
        self.attention = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.lm_head = nn.Linear(dim, vocab_size)

    def forward(self, ids):
        x = self.wte(ids)
        mask = torch.ones(ids.shape[1], ids.shape[1], dtype=torch.bool).triu(1)
        return self.lm_head(x + self.attention(x, x, x, attn_mask=mask, need_weights=False)[0])
"""
COUNTED = """\
import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.mix = nn.GRU(dim, dim, batch_first=True)

    def forward(self, x):
        return x + self.mix(self.norm(x))[0]


class Model(nn.Module):
    def __init__(self, vocab_size, dim, n_layers):
        super().__init__()
        self.n_layers = n_layers
        self.wte = nn.Embedding(vocab_size, dim)
        self.layers = nn.ModuleList(Block(dim) for _ in range(n_layers))
        self.lm_head = nn.Linear(dim, vocab_size, bias=False)
        self.wte.weight = self.lm_head.weight

    def forward(self, ids):
        x = self.wte(ids)
        for layer in self.layers[: self.n_layers]:
            x = layer(x)
        return self.lm_head(x)
"""
PADDED = """\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self, vocab_size, dim, pad_id=0):
        super().__init__()
        self.pad_id = pad_id
        self.source = nn.Embedding(vocab_size, dim)
        self.target = nn.Embedding(vocab_size, dim)
        self.q, self.k, self.v = (nn.Linear(dim, dim) for _ in range(3))
        self.past = nn.GRU(dim, dim, batch_first=True)
        self.lm_head = nn.Linear(dim, vocab_size)

    def forward(self, src, tgt):
        seen = (src != self.pad_id).unsqueeze(1)
        memory, x = self.source(src), self.past(self.target(tgt))[0]
        scores = self.q(x) @ self.k(memory).transpose(1, 2) / x.shape[-1] ** 0.5
        scores = scores.masked_fill(seen == 0, -1e9)
        return self.lm_head(x + scores.softmax(dim=-1) @ self.v(memory))
"""
KEYS = """\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self, vocab_size, dim):
        super().__init__()
        self.wte = nn.Embedding(vocab_size, dim)
        self.q, self.k, self.v = (nn.Linear(dim, dim) for _ in range(3))
        self.lm_head = nn.Linear(dim, vocab_size)

    def forward(self, ids, pad_mask=None):
        # ids: [B, T], pad_mask: [B, 1, T] (optional, True = padding)
        x = self.wte(ids)
        hidden = torch.ones(ids.shape[1], ids.shape[1], dtype=torch.bool).triu(1)[None]
        if pad_mask is not None:
            hidden = hidden | pad_mask
        scores = self.q(x) @ self.k(x).transpose(1, 2) / x.shape[-1] ** 0.5
        return self.lm_head(x + scores.masked_fill(hidden, -torch.inf).softmax(-1) @ self.v(x))
"""


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
    "a_number_behind_a_switch": Form(
        "GD606",
        SWITCH,
        "logits.transpose(1, 2), ids[:, 1:])",
        "logits.transpose(1, 2), ids[:, 1:]).item()",
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
    "a_scale_that_is_told": Form("GD908", TWO_TEXTS, "is_causal=True", "is_causal=True, scale=1.0"),
    "experts_that_nobody_chose": Form("GD205", EXPERTS, "expert(flat[rows])", "expert(flat)[rows]"),
    "chance_that_is_built_without": Form("GD808", EXPERTS, "self.training)", "True)"),
    "gates_of_stacks": Form(
        "GD204", STACKS, 'b t f", out, gates)', 'b t f", out, (gates > 0).float())'
    ),
    "a_constant_for_gates": Form("GD203", STACKS, "top.softmax(dim=-1)", "torch.ones_like(top)"),
    "a_layer_of_torch": Form("GD806", MASKED, ".triu(1)", ".triu()"),
    "as_many_layers_as_asked": Form(
        "GD905",
        COUNTED,
        "return x + self.mix(self.norm(x))[0]",
        "return 10.0 * (x + self.mix(self.norm(x))[0])",
    ),
    "a_head_that_is_shared": Form(
        "GD110", COUNTED, "vocab_size, bias=False)", "vocab_size, bias=False).requires_grad_(False)"
    ),
    "padding_by_an_id": Form("GD705", PADDED, "-1e9", "-torch.inf"),
    "a_mask_over_keys": Form("GD803", KEYS, "hidden | pad_mask", "hidden | ~pad_mask"),
    "rows_of_a_method": Form(
        "GD303",
        METHOD,
        "(each * counted).sum()",
        "(each.flatten() * counted.flatten()[:, None]).sum()",
    ),
    "forward_by_its_name": Form("GD410", BY_NAME, "    @torch.no_grad()\n", ""),
}


@pytest.fixture(scope="module")
def told() -> Told:
    """How each written test ends, by form and by name of the test."""
    return how_they_end(FORMS)


@pytest.mark.parametrize("name", FORMS)
def test_a_form_is_proven(told: Told, name: str) -> None:
    """Its test fails by its own assertion on the sick, and passes on the healed."""
    sick = told.get(f"sick {name}")
    assert sick, "no test was written"
    assert all(how.startswith("AssertionError") for how in sick.values()), sick
    assert not any(told[f"healed {name}"].values()), told[f"healed {name}"]
