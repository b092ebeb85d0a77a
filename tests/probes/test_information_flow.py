"""The probes of information flow and their rules, on healthy oddities and on faults."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from torch import nn

from gptdoctor.catalog import all_defects
from gptdoctor.core.findings import Conviction, Status
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import Measured, ModelRecord
from gptdoctor.probes import causality
from gptdoctor.probes.instruments.positions import mixing_parts
from gptdoctor.probes.probe import Abstention
from gptdoctor.specimen.specimen import Specimen
from tests.defects.records import NO_RECORD
from tests.probes.flow_models import HEALTHY
from tests.probes.flow_mutants import MUTANTS, Mutant
from tests.specimen.making import build, line_of

PROBES = ("repeated-calls", "causality", "batch-isolation", "context-use", "padding")
# What a rule reads, with what may take its place as the root.
READ = {
    "GD801": ("causality", "batch-isolation"),
    "GD802": ("batch-isolation",),
    "GD803": ("padding",),
    "GD804": ("causality", "context-use"),
    "GD805": ("context-use",),
    "GD806": ("causality",),
    "GD807": ("repeated-calls",),
    "GD808": ("repeated-calls",),
    "GD809": ("causality",),
}
RULES = [defect for defect in all_defects() if defect.code.startswith("GD8")]


def measured(made: Specimen, probes: tuple[str, ...]) -> Iterator[tuple[str, Measurement]]:
    """What each of these probes measures, if it does."""
    for name in probes:
        probe = import_module(f"gptdoctor.probes.{name.replace('-', '_')}").PROBE
        try:
            yield name, probe.measure(made)
        except Abstention:
            continue


def convicted(made: Specimen, probes: tuple[str, ...] = PROBES) -> list[Conviction]:
    """What the rules of the family confirm of a specimen without any text."""
    found = dict(measured(made, probes))
    record: ModelRecord = dataclasses.replace(
        NO_RECORD,
        target=made.target,
        measured=tuple(Measured(probe=name, measurement=one) for name, one in found.items()),
    )
    return [
        conviction
        for defect in RULES
        for name, handler in defect.convicts.items()
        if name in found
        for conviction in handler(found[name], record)
        if conviction.status is Status.CONFIRMED and conviction.alone
    ]


def specimen_of(folder: Path, text: str) -> Specimen:
    """A specimen of `Model`."""
    construction, made = build(folder, text)
    assert construction.outcome == "built", construction
    assert made is not None
    return made


@pytest.mark.parametrize("name", HEALTHY)
def test_what_only_looks_odd_is_left_alone(tmp_path: Path, name: str) -> None:
    """Windows, prefixes, encoders, recurrence, experts, caches: with whatever seed."""
    made = specimen_of(tmp_path, HEALTHY[name])
    for seed in (0, 11):
        assert convicted(dataclasses.replace(made, seed=seed)) == []


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_fault_is_told_at_its_line(tmp_path: Path, mutant: Mutant) -> None:
    """The rule, and the statement, or the function that lacks it."""
    made = specimen_of(tmp_path, mutant.text)
    found = {conviction.rule: conviction for conviction in convicted(made, READ[mutant.rule])}
    assert mutant.rule in found, found
    place = found[mutant.rule].place
    assert place is not None
    if mutant.place.startswith("in "):
        assert place.symbol == mutant.place.removeprefix("in ")
    else:
        assert place.line == line_of(made, mutant.place)


@pytest.mark.parametrize("name", ["prefix", "encoder", "expert choice"])
def test_what_may_be_meant_is_not_measured_and_says_why(tmp_path: Path, name: str) -> None:
    """Until the user says in pyproject.toml that it is not meant."""
    made = specimen_of(tmp_path, HEALTHY[name])
    probe = import_module("gptdoctor.probes.causality").PROBE
    with pytest.raises(Abstention, match="may be meant"):
        probe.measure(made)
    target = dataclasses.replace(made.target, causal=True)
    found = convicted(dataclasses.replace(made, target=target), ("causality",))
    assert "GD801" in {conviction.rule for conviction in found}
    with pytest.raises(Abstention, match=r"pyproject\.toml"):
        probe.measure(
            dataclasses.replace(made, target=dataclasses.replace(made.target, causal=False))
        )


OPTIONAL = """
class Attend(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.mix = nn.MultiheadAttention(dim, 4, batch_first=True)

    def forward(self, x):
        return self.mix(x, x, x, need_weights=False)[0]


class Causal(Attend):
    def forward(self, x):
        hidden = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(2)
        return self.mix(x, x, x, attn_mask=hidden, need_weights=False)[0]


class Model(nn.Module):
    def __init__(self, vocab_size=1000, dim=64, *, causal=False):
        super().__init__()
        self.words = nn.Embedding(vocab_size, dim)
        self.places = nn.Embedding(128, dim)
        self.mix = (Causal if causal else Attend)(dim)
        self.out = nn.Linear(dim, vocab_size)

    def forward(self, ids):
        x = self.words(ids) + self.places(torch.arange(ids.shape[1]))
        return self.out(x + self.mix(x))
"""


@pytest.mark.parametrize(
    ("default", "build", "leaks"),
    [
        ("False", "Model(vocab_size=97)", False),
        ("False", "Model(97, 64, causal=False)", False),
        ("False", "Model(97, 64, causal=True)", True),
        ("False", "Model(97, **{'causal': True})", True),
        ("False", "made()", True),
        ("True", "Model(vocab_size=97)", True),
    ],
)
def test_an_option_to_be_causal_that_is_left_off_is_meant(
    tmp_path: Path, default: str, build: str, leaks: bool
) -> None:
    """Where no attribute keeps it; turned on, or maybe so, what looks ahead is a fault."""
    made = specimen_of(tmp_path, OPTIONAL.replace("causal=False", f"causal={default}"))
    told = dataclasses.replace(made.construction, build=build)
    found = convicted(dataclasses.replace(made, construction=told), ("causality",))
    assert [one.rule for one in found] == ["GD801"] * leaks


DEAD = """
class Model(nn.Module):
    def __init__(self, vocab_size=50257, dim=768):
        super().__init__()
        self.e = nn.Embedding(vocab_size, dim)
        self.mix = nn.GRU(dim, dim, batch_first=True)
        self.out = nn.Linear(dim, vocab_size)

    def forward(self, idx):
        return self.out(torch.relu(self.mix(self.e(idx))[0] - 50.0))
"""


def test_an_output_that_no_token_moves_is_not_blind_to_the_context_alone(tmp_path: Path) -> None:
    """Another rule tells why nothing is learned there."""
    probe = import_module("gptdoctor.probes.context_use").PROBE
    with pytest.raises(Abstention, match="no token moves"):
        probe.measure(specimen_of(tmp_path, DEAD))


def test_a_mask_for_other_inputs_is_not_held_against_the_one_of_the_text(tmp_path: Path) -> None:
    """The padding leaks where no mask hides it."""
    text = """
class Model(nn.Module):
    def __init__(self, vocab_size=1000, dim=64, heads=4):
        super().__init__()
        self.words, self.heads = nn.Embedding(vocab_size, dim), heads
        self.qkv, self.out = nn.Linear(dim, 3 * dim), nn.Linear(dim, vocab_size)

    def forward(self, input_ids, sound=None, attention_mask=None, padding_mask=None):
        x = self.words(input_ids)
        q, k, v = self.qkv(x).chunk(3, -1)
        T = input_ids.shape[1]
        seen = torch.ones(T, T, dtype=torch.bool).tril()
        if attention_mask is not None:
            seen = seen & attention_mask[:, None, :].bool() | torch.eye(T, dtype=torch.bool)
        x = x + F.scaled_dot_product_attention(q, k, v, attn_mask=seen)
        return self.out(x)
"""
    assert convicted(specimen_of(tmp_path, text), ("padding",)) == []
    deaf = text.replace("attention_mask is not None", "attention_mask == 0")
    deaf = deaf.replace("if attention_mask == 0", "if sound is not None")
    found = convicted(specimen_of(tmp_path, deaf), ("padding",))
    assert [one.rule for one in found] == ["GD803"]


WIDE = """
class Model(nn.Module):
    def __init__(self, vocab_size=1000, dim=64, heads=4):
        super().__init__()
        self.words, self.heads = nn.Embedding(vocab_size, dim), heads
        self.qkv, self.out = nn.Linear(dim, 3 * dim), nn.Linear(dim, vocab_size)

    def forward(self, x, pad_mask=None):
        # x: [B, T], pad_mask: SAID
        T = x.shape[1]
        hidden = torch.ones(T, T, dtype=torch.bool).triu(1)[None]
        if pad_mask is not None:
            hidden = hidden | pad_mask
        x = self.words(x)
        q, k, v = self.qkv(x).chunk(3, -1)
        scores = (q @ k.mT).masked_fill(hidden, -1e9)
        return self.out(x + scores.softmax(-1) @ v)
"""
ADDED = WIDE.replace("hidden | pad_mask", "hidden * -1e9 + pad_mask").replace(
    "(q @ k.mT).masked_fill(hidden, -1e9)", "q @ k.mT + hidden"
)


@pytest.mark.parametrize(
    ("said", "used", "sick"),
    [
        ("[B, 1, T] (optional, True = padding)", "pad_mask", False),
        ("[B, 1, T] (optional, True = padding)", "~pad_mask", True),
        ("bool [B, 1, T], 1 where the tokens are padding", "~pad_mask", True),
        ("bool [B, 1, T], False for padded positions", "~pad_mask", False),
        ("bool [B, 1, T], False for padded positions", "pad_mask", True),
        ("bool [B, 1, T], True for non-padded positions", "pad_mask", False),  # not read
        ("[B, 1, T]", "~pad_mask", False),  # nobody says what is meant
    ],
)
def test_the_words_beside_a_mask_say_what_its_numbers_mean(
    tmp_path: Path, said: str, used: str, *, sick: bool
) -> None:
    """And with them it may be given in the form that scores have."""
    text = WIDE.replace("SAID", said).replace("hidden | pad_mask", f"hidden | {used}")
    documented = text.replace(
        "        # x: [B, T], pad", '        """Logits.\n\n        x: [B, T], pad'
    ).replace(said, f'{said}\n        """')
    for each in (text, documented):
        found = convicted(specimen_of(tmp_path, each), ("padding",))
        assert [one.rule for one in found] == (["GD803"] if sick else [])


def test_a_mask_that_is_added_to_scores_is_not_given_as_one_of_flags(tmp_path: Path) -> None:
    """It would run, and hide nothing."""
    text = ADDED.replace("SAID", "[B, 1, T], large negative numbers where there is padding")
    assert convicted(specimen_of(tmp_path, text), ("padding",)) == []


LAST = """
class Model(nn.Module):
    def __init__(self, vocab_size=1000, dim=64, heads=4):
        super().__init__()
        self.words, self.heads = nn.Embedding(vocab_size, dim), heads
        self.qkv, self.out = nn.Linear(dim, 3 * dim), nn.Linear(dim, vocab_size)

    def forward(self, input_ids, attention_mask=None, targets=None):
        x = self.words(input_ids)
        q, k, v = self.qkv(x).chunk(3, -1)
        T = input_ids.shape[1]
        seen = torch.ones(T, T, dtype=torch.bool).tril()
        if attention_mask is not None:
            seen = seen & attention_mask[:, None, :].bool() | torch.eye(T, dtype=torch.bool)
        x = x + F.scaled_dot_product_attention(q, k, v, attn_mask=seen)
        if targets is None:
            return self.out(x[:, [-1]]), None
        logits = self.out(x)
        return logits, F.cross_entropy(logits.flatten(0, 1), targets.flatten())
"""


@pytest.mark.parametrize("last", ["[:, [-1]]", "[:, -1]"], ids=["[B, 1, V]", "[B, V]"])
def test_logits_of_a_padded_token_are_not_those_of_a_real_one(tmp_path: Path, last: str) -> None:
    """With padding on the right the last position, which alone has logits, is padding."""
    text = LAST.replace("[:, [-1]]", last)
    alone = text[: text.index("        if targets")] + f"        return self.out(x{last})\n"
    assert convicted(specimen_of(tmp_path, text), ("padding",)) == []
    assert convicted(specimen_of(tmp_path, alone), ("padding",)) == []
    deaf = alone.replace("if attention_mask is not None", "if attention_mask is False")
    assert [one.rule for one in convicted(specimen_of(tmp_path, deaf), ("padding",))] == ["GD803"]


def test_tokens_in_groups_by_their_expert_do_not_excuse_a_leak(tmp_path: Path) -> None:
    """Experts that work group by group sort the numbers of experts, and choose no tokens."""
    text = """
class Model(nn.Module):
    def __init__(self, vocab_size=1000, dim=64, experts=4):
        super().__init__()
        self.words, self.router = nn.Embedding(vocab_size, dim), nn.Linear(dim, experts)
        self.weights = nn.Parameter(0.1 * torch.randn(experts, dim, dim))
        self.qkv, self.out = nn.Linear(dim, 3 * dim), nn.Linear(dim, vocab_size)

    def forward(self, input_ids):
        x = self.words(input_ids)
        q, k, v = self.qkv(x).chunk(3, -1)
        x = x + F.scaled_dot_product_attention(q, k, v, is_causal=True)
        flat = x.flatten(0, 1)
        scores, expert = self.router(flat).softmax(-1).topk(2)
        order, expert = expert.flatten().argsort(), expert.flatten()
        made = torch.einsum("nd,nde->ne", flat[order // 2], self.weights[expert[order]])
        made = made[order.argsort()].view(*scores.shape, -1)
        x = x + (scores[..., None] * made).sum(1).view_as(x)
        return self.out(x)
"""
    assert convicted(specimen_of(tmp_path, text), ("causality",)) == []
    centred = text.replace("self.out(x)", "self.out(x - x.mean(dim=1, keepdim=True))")
    found = convicted(specimen_of(tmp_path, centred), ("causality",))
    assert [one.rule for one in found] == ["GD801"]


def test_a_mask_in_an_object_has_as_many_rows_as_the_batch(tmp_path: Path) -> None:
    """One row alone is given a mask of one row, and not that of the batch."""
    text = """
class AttentionMask:
    def __init__(self, bool_mask):
        self.bool_mask = bool_mask

class Model(nn.Module):
    def __init__(self, vocab_size=1000, dim=64):
        super().__init__()
        self.words, self.mix = nn.Embedding(vocab_size, dim), nn.GRU(dim, dim, batch_first=True)
        self.out = nn.Linear(dim, vocab_size)

    def forward(self, ids, attention_mask: AttentionMask):
        x, _ = self.mix(self.words(ids))
        seen = attention_mask.bool_mask.reshape(ids.shape[0], -1).sum(1)
        return self.out(x / seen[:, None, None])
"""
    made = specimen_of(tmp_path, text)
    assert "AttentionMask(" in made.construction.call
    assert convicted(made, ("batch-isolation",)) == []
    mixed = text.replace("self.out(x ", "self.out((x - x.mean(0)) ")
    found = convicted(specimen_of(tmp_path, mixed), ("batch-isolation",))
    assert [one.rule for one in found] == ["GD802"]


def test_places_in_an_order_of_all_tokens_are_a_choice_among_them(tmp_path: Path) -> None:
    """Buckets by a hash: whole numbers, each with the position in it, decide who sees whom."""
    text = """
class Model(nn.Module):
    def __init__(self, vocab_size=1000, dim=64, buckets=4):
        super().__init__()
        self.words, self.hash = nn.Embedding(vocab_size, dim), nn.Linear(dim, 2 * buckets)
        self.qkv, self.out = nn.Linear(dim, 3 * dim), nn.Linear(dim, vocab_size)

    def forward(self, input_ids):
        x = self.words(input_ids)
        B, T, D = x.shape
        found = self.hash(x).unflatten(-1, (2, -1)).argmax(-1).mT.reshape(B, 2 * T)  # two rounds
        order = (found * T + torch.arange(2 * T) % T + torch.arange(2 * T) // T * 9 * T).sort(-1)[1]
        chunks = order.view(B, -1, 2) % T
        q, k, v = (
            each.gather(1, chunks.flatten(1)[..., None].expand(-1, -1, D)).view(*chunks.shape, D)
            for each in self.qkv(x).chunk(3, -1)
        )
        later = chunks[..., None, :] > chunks[..., :, None]
        made = (q @ k.mT).masked_fill(later, -1e9).softmax(-1) @ v
        made = made.flatten(1, 2).gather(1, order.argsort(-1)[..., None].expand(-1, -1, D))
        made = made.view(B, 2, T, D).sum(1)
        return self.out(x + made)
"""
    specimen = specimen_of(tmp_path, text)
    with pytest.raises(Abstention, match="sorts among all tokens"):
        causality.PROBE.measure(specimen)


def test_fresh_memory_brings_no_earlier_tokens(tmp_path: Path) -> None:
    """A table of words that fills what it makes empty is blind by design."""
    text = """
class Model(nn.Module):
    def __init__(self, vocab_size=1000, dim=64):
        super().__init__()
        self.few, self.more = nn.Embedding(50, dim), nn.Embedding(vocab_size, dim)

    def forward(self, ids):
        known = ids < 50
        out = torch.empty(*ids.shape, self.few.embedding_dim)
        out = out.masked_scatter(known[..., None], self.few(ids[known]))
        return out.masked_scatter(~known[..., None], self.more(ids[~known]))
"""
    assert convicted(specimen_of(tmp_path, text), ("context-use",)) == []


def test_parts_that_work_on_each_position_alone_mix_none() -> None:
    """Whatever their names begin with."""
    kinds = ("MambaEmbedding", "TransformerMLP", "DecoderHead", "MultiHead", "EncoderLayer")
    parts = nn.ModuleList(type(kind, (nn.Module,), {})() for kind in kinds)
    assert mixing_parts(parts) == ("EncoderLayer", "MultiHead")


ENCODER = """
class Model(nn.Module):
    def __init__(self, vocab_size=1000, dim=64, heads=4):
        super().__init__()
        self.words, self.heads = nn.Embedding(vocab_size, dim), heads
        self.places = nn.Embedding(32, dim)
        self.qkv, self.out = nn.Linear(dim, 3 * dim), nn.Linear(dim, 3)

    def forward(self, input_ids, attention_mask=None):
        x = self.words(input_ids) + self.places.weight[: input_ids.shape[1]]
        q, k, v = self.qkv(x).chunk(3, -1)
        seen = None if attention_mask is None else attention_mask[:, None, :].bool()
        x = x + F.scaled_dot_product_attention(q, k, v, attn_mask=seen)
        return RESULT
"""


@pytest.mark.parametrize(
    "result",
    [
        "self.out(x[:, 0]).tanh()",  # the first token, as BERT pools
        "self.out(x[:, -1])",
        "self.out(x)[..., 0]",  # a number for each token, as where an answer starts
    ],
)
def test_a_result_for_the_whole_text_may_be_that_of_a_padded_token(
    tmp_path: Path, result: str
) -> None:
    """It is not held against the mask; where no mask is applied, it is."""
    text = ENCODER.replace("RESULT", result)
    assert convicted(specimen_of(tmp_path, text), ("padding",)) == []
    found = convicted(specimen_of(tmp_path, text.replace("attn_mask=seen", "")), ("padding",))
    assert [one.rule for one in found] == ["GD803"]


def test_a_mean_over_padding_moves_the_result_of_the_whole_text(tmp_path: Path) -> None:
    """Of the padded tokens only the outermost stay as they are."""
    found = convicted(
        specimen_of(tmp_path, ENCODER.replace("RESULT", "self.out(x.mean(1))")), ("padding",)
    )
    assert [one.rule for one in found] == ["GD803"]


def test_a_mask_of_an_encoder_that_is_left_out_hides_nothing_of_the_text(tmp_path: Path) -> None:
    """It is not even looked at."""
    text = ENCODER.replace("attention_mask=None", "encoder_input=None, encoder_mask=None")
    text = text.replace("attention_mask is None", "encoder_input is None")
    text = text.replace("attention_mask[:, None, :].bool()", "None")
    whole = specimen_of(tmp_path, text.replace("RESULT", "self.out(x[:, 0])"))
    assert convicted(whole, ("padding",)) == []
