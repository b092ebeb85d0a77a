"""What methods in the styles of well-known code do over several steps, as it is measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from gptdoctor.core.measurements.generation import GeneratedMethod, Generation
from gptdoctor.probes.cached_decoding import NO_CACHE
from gptdoctor.probes.cached_decoding import PROBE as CACHED_DECODING
from gptdoctor.probes.generation import PROBE
from gptdoctor.probes.probe import Abstention
from gptdoctor.probes.sampling import PROBE as SAMPLING
from tests.defects.convicting import confirmed
from tests.defects.test_generation_rules import MODEL
from tests.specimen.making import specimen

# After a book on building a model from scratch: one row with top-k, greedy at 0, one end token.
FROM_SCRATCH = """
def generate(model, idx, max_new_tokens, context_size, temperature=0.0, top_k=None, eos_id=None):
    for _ in range(max_new_tokens):
        with torch.no_grad():
            logits = model(idx[:, -context_size:])[:, -1, :]
        if top_k is not None:
            top_logits, _ = torch.topk(logits, top_k)
            logits = torch.where(logits < top_logits[:, -1], torch.tensor(-torch.inf), logits)
        if temperature > 0.0:
            idx_next = torch.multinomial(torch.softmax(logits / temperature, dim=-1), 1)
        else:
            idx_next = torch.argmax(logits, dim=-1, keepdim=True)
        if idx_next == eos_id:
            break
        idx = torch.cat((idx, idx_next), dim=1)
    return idx
"""
# After a wrapper that restores the mode by a decorator and cuts texts behind their end.
WRAPPER = """
def eval_decorator(fn):
    def inner(self, *args, **kwargs):
        was_training = self.training
        self.eval()
        out = fn(self, *args, **kwargs)
        self.train(was_training)
        return out
    return inner

def top_p(logits, thres=0.9):
    sorted_logits, order = torch.sort(logits, descending=True)
    cum = F.softmax(sorted_logits, dim=-1).cumsum(dim=-1)
    remove = F.pad(cum > thres, (1, -1), value=False)
    sorted_logits[remove] = float("-inf")
    return sorted_logits.scatter(1, order, sorted_logits)

@torch.no_grad()
@eval_decorator
def generate(model: nn.Module, prompts, seq_len, eos_token=None, temperature=1.0, top_p=1.0):
    n, t = prompts.shape
    out = prompts
    for _ in range(seq_len - t):
        logits = model(out[:, -model.block_size:])[:, -1]
        if top_p < 1.0:
            logits = globals()["top_p"](logits, top_p)
        out = torch.cat((out, torch.multinomial(F.softmax(logits / temperature, dim=-1), 1)), -1)
        if eos_token is not None:
            is_eos = out[:, t:] == eos_token
            if is_eos.any(dim=-1).all():
                shifted = F.pad(is_eos, (1, -1))
                ended = shifted.float().cumsum(dim=-1) >= 1
                out[:, t:] = out[:, t:].masked_fill(ended, 0)
                break
    return out[:, t:]
"""
# After a library whose function takes one row without a batch and compiles its step.
ONE_ROW = """
def next_token(model, x, temperature=1.0, top_k=None):
    logits = model(x)[0, -1]
    if top_k is not None:
        v, i = torch.topk(logits, min(top_k, logits.size(-1)))
        logits = torch.full_like(logits, float("-inf")).scatter_(-1, i, v)
    if temperature > 0.0:
        probs = torch.softmax(logits / temperature, dim=-1)
        race = torch.empty_like(probs).exponential_(1)
        return torch.argmax(probs / race, dim=-1, keepdim=True).to(dtype=torch.int64)
    return torch.argmax(logits, dim=-1, keepdim=True)

@torch.inference_mode()
def generate(model, prompt, max_returned_tokens, temperature=1.0, top_k=None, eos_id=None):
    tokens = [prompt]
    for _ in range(max_returned_tokens - prompt.size(0)):
        seen = torch.cat(tokens)[None, -model.block_size:]
        token = next_token(model, seen, temperature, top_k)
        tokens.append(token)
        if token == eos_id:
            break
    return torch.cat(tokens)
"""
# A window whose default was chosen for the full size.
WIDE = FROM_SCRATCH.replace("context_size, temperature", "context_size=1024, temperature")
STYLES = {"from scratch": FROM_SCRATCH, "wide window": WIDE, "wrapper": WRAPPER, "one row": ONE_ROW}


def the_method(folder: Path, text: str) -> GeneratedMethod:
    """What is measured of the function called `generate`."""
    found = PROBE.measure(specimen(folder, MODEL + text))
    assert isinstance(found, Generation)
    (method,) = (one for one in found.methods if one.symbol == "generate")
    return method


@pytest.mark.parametrize("style", STYLES)
def test_styles_of_well_known_code_are_measured_and_right(tmp_path: Path, style: str) -> None:
    """Mode, gradients, context, end token and prompt: all of them, and nothing is wrong."""
    method = the_method(tmp_path, STYLES[style])
    assert method.crash is None
    assert method.mode is not None
    assert method.graph is not None
    assert method.graph.with_gradients == 0
    assert method.context is not None
    assert (method.context.limit, method.context.crash) == (32, None)
    assert method.end is not None
    assert method.steady
    assert all(step.agreeing == step.rows for step in method.steps)
    made = specimen(tmp_path, MODEL + STYLES[style])
    assert confirmed(made, (SAMPLING, PROBE, CACHED_DECODING)) == []


def test_what_takes_no_end_token_and_has_no_limit_is_not_asked_for(tmp_path: Path) -> None:
    """None, rather than a number that nobody measured."""
    text = MODEL.replace("+ self.p(torch.arange(idx.shape[1]))", "")
    made = specimen(tmp_path, text + FROM_SCRATCH.replace(", eos_id=None", ", eos_id_=None"))
    found = PROBE.measure(made)
    assert isinstance(found, Generation)
    assert [(one.context, one.end) for one in found.methods] == [(None, None)]


def test_a_method_that_fails_tells_its_crash(tmp_path: Path) -> None:
    """And nothing else is known of it."""
    method = the_method(tmp_path, FROM_SCRATCH.replace("idx_next = torch.m", "idx_ = torch.m"))
    assert method.crash is not None
    assert method.crash.kind == "UnboundLocalError"
    assert (method.mode, method.graph, method.changes) == (None, None, ())


def test_a_model_without_a_cache_is_not_compared(tmp_path: Path) -> None:
    """There is nothing to compare."""
    assert CACHED_DECODING.measure(specimen(tmp_path, MODEL)) == NO_CACHE


def test_a_model_that_looks_ahead_is_no_base_for_a_comparison(tmp_path: Path) -> None:
    """Its logits change with what comes after them."""
    text = """
class Model(nn.Module):
    def __init__(self, vocab_size=50257, dim=64):
        super().__init__()
        self.e, self.out = nn.Embedding(vocab_size, dim), nn.Linear(dim, vocab_size)

    def forward(self, ids, cache=None):
        x = self.e(ids)
        x = x if cache is None else torch.cat([cache, x], 1)
        return self.out(x + x.mean(1, keepdim=True))[:, -ids.size(1):], x
"""
    with pytest.raises(Abstention, match="change with what comes after them"):
        CACHED_DECODING.measure(specimen(tmp_path, text))


CACHED = """
class Model(nn.Module):
    def __init__(self, vocab_size=50257, dim=64, block_size=512):
        super().__init__()
        self.e, self.out = nn.Embedding(vocab_size, dim), nn.Linear(dim, vocab_size)
        self.p = nn.Embedding(block_size, dim)

    def forward(self, ids, cache=None):
        x = self.e(ids) + self.p(torch.arange(ids.size(1)))
        n = 1 if cache is not None else ids.size(1)
        past = x if cache is None else torch.cat([cache, x[:, -1:]], 1)
        count = torch.arange(1, past.size(1) + 1)[:, None]
        return self.out(past.cumsum(1) / count)[:, -n:], KEPT
"""


CHANCE = """
class Model(nn.Module):
    def __init__(self, vocab_size=50257, dim=64):
        super().__init__()
        self.e, self.out = nn.Embedding(vocab_size, dim), nn.Linear(dim, vocab_size)

    def forward(self, ids, cache=None):
        x = self.e(ids)
        past = x if cache is None else torch.cat([cache, x], 1)
        count = torch.arange(1, past.size(1) + 1)[:, None]
        return self.out(F.dropout(past.cumsum(1) / count, 0.5))[:, -ids.size(1):], past
"""


def test_logits_of_chance_are_no_base_for_a_comparison(tmp_path: Path) -> None:
    """Dropout in evaluation is another rule's."""
    with pytest.raises(Abstention, match="by themselves"):
        CACHED_DECODING.measure(specimen(tmp_path, CHANCE))
    found = PROBE.measure(specimen(tmp_path, CHANCE.replace(", past\n", "\n") + FROM_SCRATCH))
    assert isinstance(found, Generation)
    assert [one.steps for one in found.methods] == [()]


def test_a_call_that_takes_the_new_part_of_the_whole_text_is_no_base(tmp_path: Path) -> None:
    """It is never meant to be given that part alone."""
    with pytest.raises(Abstention, match="takes the whole text"):
        CACHED_DECODING.measure(specimen(tmp_path, CACHED.replace("KEPT", "past")))


def test_where_a_call_leaves_nothing_behind_nothing_is_compared(tmp_path: Path) -> None:
    """To give None would be to forget what came before."""
    with pytest.raises(Abstention, match="leaves nothing behind"):
        CACHED_DECODING.measure(specimen(tmp_path, CACHED.replace("KEPT", "None")))
