"""GD402 to GD415: which methods that generate are convicted when they run, and which are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from gptdoctor.catalog import defect_named
from gptdoctor.probes.cached_decoding import PROBE as CACHED_DECODING
from gptdoctor.probes.generation import PROBE as GENERATION
from gptdoctor.probes.sampling import PROBE as SAMPLING
from tests.defects.convicting import confirmed, line_in
from tests.specimen.making import specimen

PROBES = (SAMPLING, GENERATION, CACHED_DECODING)
MODEL = """
class Model(nn.Module):
    def __init__(self, vocab_size=50257, block_size=128, dim=64):
        super().__init__()
        self.block_size = block_size
        self.e, self.p = nn.Embedding(vocab_size, dim), nn.Embedding(block_size, dim)
        self.mix, self.drop = nn.GRU(dim, dim, batch_first=True), nn.Dropout(0.1)
        self.out = nn.Linear(dim, vocab_size)

    def forward(self, idx):
        x = self.e(idx) + self.p(torch.arange(idx.shape[1]))
        return self.out(self.drop(self.mix(x)[0]))

"""
SEEN = "self(idx[:, -self.block_size:])[:, -1]"


def method(
    step: str,
    parameters: str = "temperature=1.0",
    *,
    name: str = "generate",
    head: str = "@torch.no_grad()",
    before: str = "pass",
    after: str = "pass",
    seen: str = SEEN,
) -> str:
    """A method that draws: each step makes `new` [B, 1] of the logits `z` [B, V]."""
    lines = "\n".join(f"            {line}" for line in step.splitlines())
    start = "\n".join(f"        {line}" for line in before.splitlines())
    return f"""
    {head}
    def {name}(self, idx, max_new_tokens, {parameters}):
{start}
        for _ in range(max_new_tokens):
            z = {seen}
{lines}
            idx = torch.cat([idx, new], 1)
        {after}
        return idx
"""


RIGHT = "new = torch.multinomial((z / temperature).softmax(-1), 1)"
DRAW = "new = torch.multinomial(z.softmax(-1), 1)"
GREEDY = "new = z.argmax(-1, keepdim=True)"
# A filter that stays leaves a share of the tokens; a temperature hardly moves the likeliest.
FEW = (
    "best, ids = z.topk(z.shape[-1] // {share})\n"
    "new = ids.gather(-1, torch.multinomial(({scaled}).softmax(-1), 1))"
)
NUCLEUS_OF_RANKS = (
    "s, order = (z / temperature).softmax(-1).sort(descending=True)\n"
    "s = s.masked_fill(s.cumsum(-1) - s > top_p, 0)\n"
    "rank = torch.multinomial(s, 1)\n"
    "new = rank"
)
RENAMED = NUCLEUS_OF_RANKS.replace("rank = torch.multinomial(s, 1)\nnew = rank", "") + (
    "p = z.softmax(-1)\np = s\nnew = torch.multinomial(p, 1)"
)
NUCLEUS_OF = "temperature=1.0, top_p=1.0"
NUCLEUS_OF_PROBABILITIES = (
    "p = {}\n"
    "s, order = p.sort(descending=True)\n"
    "s = s.masked_fill(s.cumsum(-1) - s > top_p, 0)\n"
    "new = order.gather(-1, torch.multinomial(s, 1))"
)
SICK = {
    "no temperature in use": ("GD402", method(DRAW)),
    "half of the tokens, no temperature": ("GD402", method(FEW.format(share=2, scaled="best"))),
    "scaled and thrown away": ("GD402", method("z / temperature\n" + DRAW)),
    "multiplied": ("GD403", method(RIGHT.replace("/", "*"))),
    "divided by the reciprocal": (
        "GD403",
        method(RIGHT.replace("z /", "z / (1 /") + "  # )").replace(
            "temperature).softmax", "temperature)).softmax"
        ),
    ),
    "gumbel with the inverse": (
        "GD403",
        method(
            "g = -(-torch.rand_like(z).log()).log()\n"
            "new = (z * temperature + g).argmax(-1, keepdim=True)"
        ),
    ),
    "second softmax": ("GD404", method(RIGHT.replace("z /", "z.softmax(-1) /"))),
    "probabilities divided": (
        "GD404",
        method("new = torch.multinomial(z.softmax(-1) / temperature, 1)"),
    ),
    "probabilities divided before a nucleus": (
        "GD404",
        method(NUCLEUS_OF_PROBABILITIES.format("z.softmax(-1) / temperature"), NUCLEUS_OF),
    ),
    "greedy sample": ("GD405", method(GREEDY, "seed=0", name="sample")),
    "greedy with top-k": ("GD405", method("new = z.topk(top_k)[1][:, :1]", "top_k=5")),
    "top-k of all": ("GD406", method(DRAW, "top_k=5")),
    "top-p of all": ("GD407", method(DRAW, "top_p=0.9")),
    "train at the start": ("GD408", method(RIGHT, before="self.train()")),
    "eval at the start": ("GD409", method(RIGHT, before="self.eval()")),
    "train at the end": ("GD409", method(RIGHT, before="self.eval()", after="self.train()")),
    "gradients": ("GD410", method(RIGHT, head="")),
    "too long": ("GD411", method(RIGHT, seen="self(idx)[:, -1]")),
    "oldest kept": ("GD411", method(RIGHT, seen="self(idx[:, :self.block_size])[:, -1]")),
    "no end": ("GD412", method(RIGHT, "temperature=1.0, eos_token_id=None")),
    "end of any row": (
        "GD412",
        method(RIGHT + "\nif (new == eos).any(): break", "temperature=1.0, eos=0"),
    ),
    "top-k that does nothing": (
        "GD406",
        method("kept = z.topk(top_k)[0]\nz = z\n" + DRAW, "top_k=5"),
    ),
    "ranks for tokens": ("GD407", method(NUCLEUS_OF_RANKS, "temperature=1.0, top_p=0.9")),
    "ranks for tokens under another name": ("GD407", method(RENAMED, NUCLEUS_OF)),
    "mask in the order of the ranks": (
        "GD407",
        method(
            "z = z / temperature\n"
            "s, order = z.softmax(-1).sort(descending=True)\n"
            "far = s.cumsum(-1) - s > top_p\n"
            "new = torch.multinomial(z.masked_fill(far, -torch.inf).softmax(-1), 1)",
            "temperature=1.0, top_p=0.9",
        ),
    ),
    "sampling by its comment": ("GD405", method(GREEDY + "  # sample the next token", "seed=0")),
    "cut above the call": (
        "GD414",
        method(RIGHT, seen="self(given)[:, -1]").replace(
            "            z = self", "            given = idx[:, -1:]\n            z = self"
        ),
    ),
    "cut before the loop": (
        "GD414",
        method(
            RIGHT + "\ngiven = torch.cat([given, new], 1)",
            before="given = idx[:, -1:]",
            seen="self(given)[:, -1]",
        ).replace(
            "            z = self",
            "            if given.shape[1] > self.block_size:\n"
            "                given = given[:, -self.block_size :]\n"
            "            z = self",
        ),
    ),
    "zero let in": (
        "GD413",
        method("if temperature >= 0:\n    z = z / temperature\n" + DRAW),
    ),
    "zero divides": ("GD413", method("assert temperature >= 0\n" + RIGHT)),
    "zeros for the prompt": ("GD414", method(RIGHT, seen="self(torch.zeros_like(idx))[:, -1]")),
    "the last token alone": ("GD414", method(RIGHT, seen="self(idx[:, -1:])[:, -1]")),
    "the last but one": ("GD414", method(RIGHT, seen="self(idx)[:, -2]")),
}


@pytest.mark.parametrize("what", SICK)
def test_a_sick_method_is_convicted_by_its_rule(tmp_path: Path, what: str) -> None:
    """At the first line that is wrong, or at the method where a line is missing."""
    code, text = SICK[what]
    made = specimen(tmp_path, MODEL + text)
    found = confirmed(made, PROBES)
    assert code in [one.rule for one in found]
    # A text that is read from a wrong end also shows as one that outgrows the model, and the rank
    # of the likeliest token is the same for all prompts.
    assert {one.rule for one in found} <= {code, "GD411", *defect_named(code).explains}
    (first,) = [one for one in found if one.rule == code]
    assert first.place is not None
    assert first.place.symbol.startswith("Model.")


LINES = {
    "no temperature in use": "new = torch.multinomial",
    "top-k that does nothing": "z = z",
    "ranks for tokens": "new = rank",
    "mask in the order of the ranks": "z.masked_fill",
    "sampling by its comment": "argmax",
    "cut above the call": "given = idx",
    "cut before the loop": "given = idx",
    "ranks for tokens under another name": "p = s",
    "zero let in": "if temperature >= 0",
    "multiplied": "z * temperature",
    "second softmax": "z.softmax(-1) /",
    "probabilities divided before a nucleus": "p = z.softmax(-1) /",
    "greedy sample": "argmax",
    "train at the start": "self.train()",
    "eval at the start": "self.eval()",
    "too long": "z = self(idx)",
    "oldest kept": "z = self(idx",
    "end of any row": ".any()",
    "the last but one": "[:, -2]",
    "zeros for the prompt": "zeros_like",
}


@pytest.mark.parametrize("what", LINES)
def test_the_line_is_that_of_the_wrong_statement(tmp_path: Path, what: str) -> None:
    """Not the head of the method."""
    code, text = SICK[what]
    made = specimen(tmp_path, MODEL + text)
    (found,) = [one for one in confirmed(made, PROBES) if one.rule == code]
    line = line_in(made, found)
    assert line is not None
    lines = (Path(made.root) / made.target.path).read_text().splitlines()
    assert LINES[what] in lines[line - 1]


NUCLEUS = """\
s, i = (z / temperature).sort(-1, descending=True)
out = s.softmax(-1).cumsum(-1) > top_p
out[:, 1:] = out[:, :-1].clone()
out[:, 0] = False
z = s.masked_fill(out, -torch.inf).gather(-1, i.argsort(-1))
new = torch.multinomial(z.softmax(-1), 1)"""
HEALTHY = {
    "the first row alone": method(
        RIGHT + "\nif new[0].item() == eos: break\nidx, new = idx[:1], new[:1]",
        "temperature=1.0, eos=0",
    ),
    "multinomial": method(RIGHT),
    **{
        f"one in {share} of the tokens": method(
            FEW.format(share=share, scaled="best / temperature")
        )
        for share in (2, 5, 10, 30)
    },
    "categorical": method(
        "new = torch.distributions.Categorical(logits=z / temperature).sample()[:, None]"
    ),
    "gumbel": method(
        "g = -(-torch.rand_like(z).log()).log()\n"
        "new = (z / temperature + g).argmax(-1, keepdim=True)"
    ),
    "exponential race": method(
        "p = (z / max(temperature, 1e-5)).softmax(-1)\n"
        "new = (p / torch.empty_like(p).exponential_(1)).argmax(-1, keepdim=True)"
    ),
    "numpy": method(
        "import numpy\n"
        "p = (z.double() / temperature).softmax(-1).numpy()\n"
        "new = torch.tensor([[numpy.random.choice(len(q), p=q)] for q in p])"
    ),
    "inverse of the sum": method(
        "c = (z / temperature).softmax(-1).cumsum(-1)\n"
        "new = (c < torch.rand(len(c), 1)).sum(-1, keepdim=True).clamp(max=z.size(-1) - 1)"
    ),
    "greedy": method(GREEDY, "verbose=False"),
    "greedy by its comment": method(GREEDY + "  # greedy, we sample elsewhere", "verbose=False"),
    "greedy switch": method(
        "new = torch.multinomial(z.softmax(-1), 1) if do_sample else z.argmax(-1, keepdim=True)",
        "do_sample=False",
    ),
    "guarded zero": method("if temperature == 0: new = z.argmax(-1, keepdim=True)\nelse: " + RIGHT),
    "nucleus": method(NUCLEUS, "temperature=1.0, top_p=0.9"),
    "a power of the probabilities": method(
        NUCLEUS_OF_PROBABILITIES.format(
            "z.softmax(-1) ** (1 / temperature)\np = p / p.sum(-1, keepdim=True)"
        ),
        NUCLEUS_OF,
    ),
    "log-probabilities": method(
        NUCLEUS_OF_PROBABILITIES.format("(z.log_softmax(-1) / temperature).softmax(-1)"),
        NUCLEUS_OF,
    ),
    "min-p": method(
        "p = (z / temperature).softmax(-1)\n"
        "p = p.masked_fill(p < min_p * p.amax(-1, keepdim=True), 0)\n"
        "new = torch.multinomial(p, 1)",
        "temperature=1.0, min_p=0.1",
    ),
    "repetition penalty": method(
        "z = z.scatter(1, idx, z.gather(1, idx) / penalty)\n" + RIGHT,
        "temperature=1.0, penalty=1.2",
    ),
    "ended rows are filled": method(
        RIGHT + "\nnew = new.masked_fill(done, eos)\ndone = done | (new == eos)\n"
        "if done.all():\n    idx = torch.cat([idx, new], 1)\n    break",
        "temperature=1.0, eos=0",
        before="done = torch.zeros(len(idx), 1, dtype=torch.bool)",
    ),
    "mode restored": method(
        RIGHT, before="was = self.training\nself.eval()", after="self.train(was)"
    ),
    "stops at the limit": method(
        "if idx.size(1) >= self.block_size: break\n" + RIGHT, seen="self(idx)[:, -1]"
    ).replace(
        "            z = self",
        "            if idx.size(1) > self.block_size: break\n            z = self",
    ),
    "refuses": method(
        RIGHT,
        before="if idx.size(1) + max_new_tokens > self.block_size: raise ValueError('too long')",
        seen="self(idx)[:, -1]",
    ),
    "gradients wanted": method(
        "d = torch.distributions.Categorical(logits=z)\nnew = d.sample()[:, None]\n"
        "total = total + d.log_prob(new[:, 0])",
        "seed=0",
        head="",
        before="total = 0",
    ).replace("return idx", "return idx, total"),
    "streamed": method(RIGHT)
    .replace("idx = torch.cat([idx, new], 1)", "idx = torch.cat([idx, new], 1); yield new")
    .replace("        return idx\n", ""),
    "beam search": """
    @torch.no_grad()
    def beam_search(self, idx, max_new_tokens, num_beams=3):
        beams = [(0.0, row[None]) for row in idx[:1]]
        for _ in range(max_new_tokens):
            more = []
            for score, ids in beams:
                best = self(ids[:, -self.block_size:])[:, -1].log_softmax(-1).topk(num_beams)
                for value, token in zip(best.values[0], best.indices[0]):
                    more.append((score + float(value), torch.cat([ids, token.view(1, 1)], 1)))
            beams = sorted(more, key=lambda one: -one[0])[:num_beams]
        return beams[0][1]
""",
    "no generation": "",
}


@pytest.mark.parametrize("what", HEALTHY)
def test_a_healthy_method_is_not_convicted(tmp_path: Path, what: str) -> None:
    """Whatever its style."""
    assert confirmed(specimen(tmp_path, MODEL + HEALTHY[what]), PROBES) == []


CACHED = """
class Model(nn.Module):
    def __init__(self, vocab_size=50257, dim=64):
        super().__init__()
        self.e, self.p = nn.Embedding(vocab_size, dim), nn.Embedding(512, dim)
        self.qkv, self.out = nn.Linear(dim, 3 * dim), nn.Linear(dim, vocab_size)

    def forward(self, ids, past_key_values=None, use_cache=False):
        start = 0 if past_key_values is None else past_key_values[0].size(1)
        places = torch.arange(PLACES, PLACES + ids.size(1))
        x = self.e(ids) + self.p(places)
        q, k, v = self.qkv(x).chunk(3, -1)
        if past_key_values is not None:
            k, v = torch.cat([past_key_values[0], k], 1), torch.cat([past_key_values[1], v], 1)
        mask = torch.ones(ids.size(1), k.size(1), dtype=torch.bool).tril(start)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.out(x + y), (KEPT if use_cache else None)

    @torch.no_grad()
    def generate(self, ids, max_new_tokens, use_cache=True):
        past, given = None, ids
        for _ in range(max_new_tokens):
            z, past = self(given, past, use_cache=use_cache)
            new = torch.multinomial(z[:, -1].softmax(-1), 1)
            ids = torch.cat([ids, new], 1)
            given = new if use_cache else ids
        return ids
"""
LLAMA = """
class Model(nn.Module):
    def __init__(self, vocab_size=50257, dim=64, max_batch_size=8, max_seq_len=64):
        super().__init__()
        self.e, self.p = nn.Embedding(vocab_size, dim), nn.Embedding(max_seq_len, dim)
        self.qkv, self.out = nn.Linear(dim, 3 * dim), nn.Linear(dim, vocab_size)
        self.register_buffer("cache_k", torch.zeros(max_batch_size, max_seq_len, dim))
        self.register_buffer("cache_v", torch.zeros(max_batch_size, max_seq_len, dim))

    def forward(self, tokens, start_pos: int = 0):
        B, T = tokens.shape
        x = self.e(tokens) + self.p(torch.arange(start_pos, start_pos + T))
        q, k, v = self.qkv(x).chunk(3, -1)
        self.cache_k[:B, WHERE : WHERE + T] = k.detach()
        self.cache_v[:B, start_pos : start_pos + T] = v.detach()
        k = torch.cat([self.cache_k[:B, :start_pos], k], 1)
        v = torch.cat([self.cache_v[:B, :start_pos], v], 1)
        mask = torch.ones(T, k.size(1), dtype=torch.bool).tril(start_pos)
        return self.out(x + F.scaled_dot_product_attention(q, k, v, attn_mask=mask))
"""
RECURRENT = """
class Model(nn.Module):
    def __init__(self, vocab_size=50257, dim=64):
        super().__init__()
        self.e, self.out = nn.Embedding(vocab_size, dim), nn.Linear(dim, vocab_size)
        self.mix = nn.LSTM(dim, dim, batch_first=True)

    def forward(self, ids, hidden=None):
        x, hidden = self.mix(self.e(ids), hidden)
        return self.out(x), hidden
"""
# The caller makes the cache, and the forward pass fills it: nothing of it is returned.
FILLED = """
class Cache:
    def __init__(self, rows, room, dim):
        self.k, self.v, self.used = torch.zeros(rows, room, dim), torch.zeros(rows, room, dim), 0

    def put(self, k, v):
        start, self.used = self.used, self.used + k.size(1)
        self.k[:, WHERE : WHERE + k.size(1)] = k
        self.v[:, start : self.used] = v
        return self.k[:, : self.used], self.v[:, : self.used]

class Model(nn.Module):
    def __init__(self, vocab_size=50257, dim=64, max_seq_len=64):
        super().__init__()
        self.max_seq_len = max_seq_len
        self.e, self.p = nn.Embedding(vocab_size, dim), nn.Embedding(max_seq_len, dim)
        self.attend, self.out = Attend(dim), nn.Linear(dim, vocab_size)

    def forward(self, ids, cache=None):
        start = 0 if cache is None else cache.used
        places = torch.arange(PLACES, PLACES + ids.size(1))
        x = self.e(ids)
        return self.out(x + self.attend(x, self.p(places), cache))

    @torch.inference_mode()
    def generate(self, ids, max_new_tokens):
        room, dim = self.max_seq_len, self.e.weight.size(1)
        cache, given = Cache(ids.size(0), room, dim), ids[:, -room:]
        for _ in range(max_new_tokens):
            if cache.used + given.size(1) > room:
                cache, given = Cache(ids.size(0), room, dim), ids[:, -(room // 2) :]
            given = torch.multinomial(self(given, cache)[:, -1].softmax(-1), 1)
            ids = torch.cat([ids, given], 1)
        return ids

class Attend(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.qkv = nn.Linear(dim, 3 * dim)

    def forward(self, x, places, cache):
        q, k, v = self.qkv(x + places).chunk(3, -1)
        if cache is not None:
            k, v = cache.put(k, v)
        k = k * 1.0
        mask = torch.ones(x.size(1), k.size(1), dtype=torch.bool).tril(SEEN)
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
"""


def filled(where: str = "start", places: str = "start", seen: str = "k.size(1) - x.size(1)") -> str:
    """The text of that model."""
    return FILLED.replace("WHERE", where).replace("PLACES", places).replace("SEEN", seen)


# What makes vectors of the positions is not to blame for those that it is given.
WAVES = (
    CACHED.replace("self.p(places)", "self.p(places[None])").replace(
        "self.e, self.p = nn.Embedding(vocab_size, dim), nn.Embedding(512, dim)",
        "self.e, self.p = nn.Embedding(vocab_size, dim), Waves(dim)",
    )
    + """

class Waves(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.register_buffer("speed", torch.arange(dim) / dim)

    def forward(self, positions):
        angles = positions[..., None].float() * self.speed
        return angles.sin()
"""
)
GOOD = CACHED.replace("PLACES", "start").replace("KEPT", "(k, v)")
# The text, and a part of the line that is convicted.
CACHES = {
    "keys and values": (GOOD, None),
    "positions start anew": (
        CACHED.replace("PLACES", "0").replace("KEPT", "(k, v)"),
        "places = torch.arange",
    ),
    "waves": (WAVES.replace("PLACES", "start").replace("KEPT", "(k, v)"), None),
    "waves start anew": (
        WAVES.replace("PLACES", "0").replace("KEPT", "(k, v)"),
        "places = torch.arange",
    ),
    "waves of another step": (
        WAVES.replace("PLACES", "start")
        .replace("KEPT", "(k, v)")
        .replace(".float() * self", ".float().sub(positions.amin()) * self"),
        "angles = positions",
    ),
    "keys for values": (
        CACHED.replace("PLACES", "start").replace("KEPT", "(v, k)"),
        "k, v = torch.cat",
    ),
    "the newest keys first": (
        CACHED.replace("PLACES", "start")
        .replace("KEPT", "(k, v)")
        .replace("[past_key_values[0], k]", "[k, past_key_values[0]]"),
        "k, v = torch.cat",
    ),
    "start position": (LLAMA.replace("WHERE", "start_pos"), None),
    "written to the wrong place": (LLAMA.replace("WHERE", "0"), "self.cache_k[:B, 0"),
    "state of a recurrent layer": (RECURRENT, None),
    "a cache of the caller's": (filled(), None),
    "positions start anew beside it": (filled(places="0"), "places = torch.arange"),
    "a mask that forgets what is in it": (filled(seen="0"), "mask = torch.ones"),
    "it is filled in the wrong place": (filled(where="0"), "return self.k["),
}


@pytest.mark.parametrize("what", CACHES)
def test_a_cache_has_to_stand_for_what_it_saw(tmp_path: Path, what: str) -> None:
    """Token by token gives the logits of all tokens at once, or GD415 says so with the line."""
    text, statement = CACHES[what]
    made = specimen(tmp_path, text)
    found = confirmed(made, (GENERATION, CACHED_DECODING))
    assert [one.rule for one in found] == ([] if statement is None else ["GD415"])
    for one in found:
        lines = (Path(made.root) / made.target.path).read_text().splitlines()
        assert str(statement) in lines[(line_in(made, one) or 0) - 1]


def test_a_method_that_hands_its_cache_on_wrongly_is_convicted(tmp_path: Path) -> None:
    """The forward pass is right, and the method forgets to take the newer cache."""
    wrong = GOOD.replace("z, past = self(given", "z, new_past = self(given").replace(
        "            new = torch", "            past = past or new_past\n            new = torch"
    )
    assert wrong != GOOD
    (found,) = confirmed(specimen(tmp_path, wrong), (GENERATION, CACHED_DECODING))
    assert found.rule == "GD415"
    assert found.place is not None
    assert found.place.symbol == "Model.generate"


def test_a_switch_that_only_restores_shows_that_eval_is_missing(tmp_path: Path) -> None:
    """Nobody restores a mode that he has not left."""
    text = method(RIGHT, before="was = self.training", after="self.train(was)")
    (found,) = confirmed(specimen(tmp_path, MODEL + text), PROBES)
    assert (found.rule, found.values["restores_unchanged"]) == ("GD408", True)
