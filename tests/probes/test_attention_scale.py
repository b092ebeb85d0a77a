"""By what scores are scaled on their way to the softmax."""

from __future__ import annotations

from pathlib import Path

import pytest

from gptdoctor.core.measurements.attention_scale import AttentionScale, ScoredAttention
from gptdoctor.defects.dynamics.missing_attention_scale import lacks_scale
from gptdoctor.probes.attention_scale import PROBE
from tests.probes.tower import LINEAR_INIT, SCORES, TRANSFORMER, changed
from tests.specimen.making import line_of, specimen

PRODUCT = "scores = q @ k.transpose(-2, -1)"
ROTARY = """T, size = q.shape[2:]
        angles = torch.arange(T)[:, None] * torch.ones(size)
        q, k = (y * angles.cos() + y.roll(1, -1) * angles.sin() for y in (q, k))
        """
# Where the matrix of queries and keys is a slice, and a matrix only once it is taken.
STACKED = """made = torch.einsum("btc,hsc->bhts", x, self.qkv.weight[:128].unflatten(0, (8, 16)))
        q, k = made.chunk(2, dim=1)
        """
FUSED = "y = F.scaled_dot_product_attention(q, k, v, is_causal=True{})"


def fused(scale: str) -> str:
    """The model with torch's own attention, which is told to scale by `scale`."""
    return changed(
        (SCORES, FUSED.format(scale)),
        ('scores = scores.masked_fill(seen == 0, float("-inf"))', ""),
        ("weights = scores.softmax(-1)", ""),
        ("(weights @ v)", "y"),
    )


def attention_of(folder: Path, text: str) -> ScoredAttention:
    """The only attention of the model in `text`."""
    found = PROBE.measure(specimen(folder, text))
    assert isinstance(found, AttentionScale)
    (attention,) = found.attentions
    return attention


def test_the_factor_is_measured_with_its_line(tmp_path: Path) -> None:
    """1 / sqrt(16) for heads that are 16 wide."""
    made = specimen(tmp_path, TRANSFORMER)
    found = PROBE.measure(made)
    assert isinstance(found, AttentionScale)
    (attention,) = found.attentions
    assert attention.factor == pytest.approx(0.25)
    assert (attention.head_width, attention.plain) == (16, False)
    assert attention.line == line_of(made, SCORES)


@pytest.mark.parametrize(
    "new",
    [
        PRODUCT,
        'scores = torch.einsum("bhid,bhjd->bhij", q, k)',
        ROTARY + PRODUCT,
        PRODUCT + " + torch.arange(T)",
        "scores = torch.matmul(q, k.mT).float()",
        STACKED + PRODUCT,
    ],
    ids=["product", "einsum", "rotary", "bias", "matmul", "weights of all layers in one"],
)
def test_scores_that_nothing_scales_are_seen(tmp_path: Path, new: str) -> None:
    """However they are multiplied, turned or biased."""
    assert lacks_scale(attention_of(tmp_path, changed((SCORES, new))))


@pytest.mark.parametrize(
    "new",
    [
        SCORES,
        "scores = (q * (C // self.heads) ** -0.5) @ k.transpose(-2, -1)",
        "scores = q @ (k / (C // self.heads) ** 0.5).transpose(-2, -1)",
        PRODUCT + " / (C // self.heads)",
        PRODUCT + " * self.proj.bias.mean().exp()",
        PRODUCT + " * 1.0",
        "scores = F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).transpose(-2, -1)",
        "scores = F.rms_norm(q, (16,)) @ F.rms_norm(k, (16,)).transpose(-2, -1)",
        "q = q * torch.rsqrt(q.pow(2).mean(-1, keepdim=True) + 1e-6)\n        " + PRODUCT,
        PRODUCT + "\n        scores = 30 * torch.tanh(scores / 30)",
    ],
    ids=["root", "q", "k", "mu", "learned", "one", "cosine", "norm", "rms", "cap"],
)
def test_a_scale_of_any_form_is_seen(tmp_path: Path, new: str) -> None:
    """Before the product or behind it, learned or by a norm."""
    assert not lacks_scale(attention_of(tmp_path, changed((SCORES, new))))


@pytest.mark.parametrize(
    "fill", ["[:64] *= 16**-0.5", "[:128] *= 16**-0.25"], ids=["in queries", "in both"]
)
def test_a_scale_in_the_first_values_is_seen(tmp_path: Path, fill: str) -> None:
    """As T5 has it."""
    text = changed(
        (SCORES, PRODUCT),
        (
            "self.apply(self._init)",
            "self.apply(self._init)\n        for block in self.blocks:\n"
            f"            block.attn.qkv.weight.data{fill}",
        ),
        (LINEAR_INIT, LINEAR_INIT),
    )
    assert not lacks_scale(attention_of(tmp_path, text))


def test_torchs_own_attention_that_is_told_to_scale_by_one(tmp_path: Path) -> None:
    """As sharp as scores that nothing scales."""
    assert lacks_scale(attention_of(tmp_path, fused(", scale=1.0")))


@pytest.mark.parametrize(
    ("new", "scale"),
    [
        ("", ", scale=q.shape[-1] ** -0.5"),
        ("", ", scale=1 / q.shape[-1]"),
        ("q, k = F.rms_norm(q, (16,)), F.rms_norm(k, (16,))\n        ", ", scale=1.0"),
        ("q = q * 0.25\n        ", ", scale=1.0"),
    ],
    ids=["root", "mu", "norm", "before"],
)
def test_torchs_own_attention_with_another_scale(tmp_path: Path, new: str, scale: str) -> None:
    """By what it is told, or because queries and keys are of a size by themselves."""
    text = fused(scale)
    written = FUSED.format(scale)
    assert not lacks_scale(attention_of(tmp_path, text.replace(written, new + written)))


@pytest.mark.parametrize(
    ("value", "seen"), [("1.0", True), ("len(range(heads)) / heads", False)], ids=["one", "made"]
)
def test_a_scale_of_one_is_told_where_it_is_written(tmp_path: Path, value: str, seen: bool) -> None:
    """And not where it is a matter of how the model is configured."""
    line = f"self.scaling = {value}"
    text = fused(", scale=self.scaling").replace(
        "self.qkv = nn.Linear(dim, 3 * dim)", f"self.qkv = nn.Linear(dim, 3 * dim)\n        {line}"
    )
    made = specimen(tmp_path, text)
    found = PROBE.measure(made)
    assert isinstance(found, AttentionScale)
    told = [each.line for each in found.attentions if lacks_scale(each)]
    assert told == ([line_of(made, line)] if seen else [])


@pytest.mark.parametrize(
    ("before", "value", "seen"),
    [
        ("", "1.0", True),
        ("", "1.0 if T > 0 else 0.5", False),
        ("scale = T ** -0.5\n        ", "1.0", False),
    ],
    ids=["one", "made", "one of two"],
)
def test_a_named_scale_of_one_leaves_the_product_as_it_is(
    tmp_path: Path, before: str, value: str, seen: bool
) -> None:
    """Where nothing else is ever written to its name."""
    line = f"scale = {value}"
    new = f"{before}{line}\n        {PRODUCT} * scale"
    made = specimen(tmp_path, changed((SCORES, new)))
    found = PROBE.measure(made)
    assert isinstance(found, AttentionScale)
    told = [each.line for each in found.attentions if lacks_scale(each)]
    assert told == ([line_of(made, line)] if seen else [])


def test_a_scale_that_the_constructor_is_given_is_a_matter_of_configuration(tmp_path: Path) -> None:
    """Also where its default is 1."""
    text = changed((SCORES, PRODUCT + " * self.scale")).replace(
        "self.qkv = nn.Linear(dim, 3 * dim)",
        "self.qkv = nn.Linear(dim, 3 * dim)\n        scale = 1.0\n        self.scale = scale",
    )
    assert not lacks_scale(attention_of(tmp_path, text))


def test_a_softmax_of_other_products_is_no_attention(tmp_path: Path) -> None:
    """A router's scores, and torch's own attention, which scales by itself."""
    text = changed(
        (SCORES, "y = F.scaled_dot_product_attention(q, k, v, is_causal=True)"),
        ('scores = scores.masked_fill(seen == 0, float("-inf"))', ""),
        ("weights = scores.softmax(-1)", ""),
        ("(weights @ v)", "y"),
        (
            "return self.head(self.ln(x))",
            "x = x * (x @ self.emb.weight.t()).softmax(-1)[..., :1]\n"
            "        return self.head(self.ln(x))",
        ),
    )
    found = PROBE.measure(specimen(tmp_path, text))
    assert isinstance(found, AttentionScale)
    assert found.attentions == ()
