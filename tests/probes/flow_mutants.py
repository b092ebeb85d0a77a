"""Faults of information flow, by their text: what is changed, and what has to be said of it."""

from __future__ import annotations

from dataclasses import dataclass

from tests.probes.flow_models import CAUSAL, HEALTHY, TURNED, decoder, recurrent

READ_PLACES = "place = self.positions(torch.arange(ids.shape[1]))\n"
TABLE = "self.positions, self.drop = nn.Embedding(span, dim), nn.Dropout(0.0)"
DROPPING = decoder(positions=TABLE, added=READ_PLACES + "x = self.drop(x + place)")
COPYING = decoder(positions=TABLE, added=READ_PLACES + "x = words + place").replace(
    "x = self.words(ids)", "words = self.words(ids.view(-1, ids.shape[-1]))"
)
PLACING = """
class Place(nn.Module):
    def __init__(self, dim, span):
        super().__init__()
        self.register_buffer("pe", torch.randn(span, dim))
        self.drop = nn.Dropout(0.0)

    def forward(self, x):
        x = x + self.pe[: x.shape[1]]
        return self.drop(x)

""" + decoder(positions="self.place = Place(dim, span)", added="x = self.place(x)")
FILLED = decoder(
    """
    seen = torch.ones(T, T, dtype=torch.bool).tril()
    bias = torch.zeros(T, T)
    scores = scores + bias.masked_fill(~seen, -1e9)
    """
)

JOINED_PARTS = decoder().replace(
    "parts = self.to_qkv(x).chunk(3, -1)",
    "parts = self.to_qkv(x).reshape(*x.shape[:2], 3, -1).permute(2, 0, 1, 3)",
)

CACHING = decoder().replace(
    "x = x + self.attend(self.before(x))",
    "mixed, kept = self.attend(self.before(x))\n        x = x + mixed",
)
CACHING = CACHING.replace("return x + self.feed(self.after(x)).relu()", "return self.last(x), kept")
CACHING = CACHING.replace("x = layer(x)", "x, kept = layer(x)").replace(
    "return self.to_out(mixed.transpose(1, 2).flatten(-2))",
    "return self.to_out(mixed.transpose(1, 2).flatten(-2)), k",
)
LAST = "    def last(self, x):\n        return x + self.feed(self.after(x)).relu()\n"
CACHING = CACHING.replace("\n\nclass Model(", f"\n{LAST}\n\nclass Model(")

OWN_METHOD = """
class Layer(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.to_qkv, self.feed = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.norm = nn.LayerNorm(dim)

    def attend(self, x):
        q, k, v = self.to_qkv(x).chunk(3, -1)
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)

    def forward(self, x):
        x = x + self.attend(self.norm(x))
        return x + self.feed(x).relu()


class Model(nn.Module):
    def __init__(self, vocab_size=1000, dim=64):
        super().__init__()
        self.words, self.layer = nn.Embedding(vocab_size, dim), Layer(dim)
        self.to_words = nn.Linear(dim, vocab_size)

    def forward(self, ids):
        return self.to_words(self.layer(self.words(ids)))
"""


@dataclass(frozen=True)
class Mutant:
    """One fault in one host."""

    name: str
    host: str
    old: str
    new: str
    rule: str
    place: str  # a text that the blamed line holds, or "in Class.method"

    @property
    def text(self) -> str:
        """The faulty model."""
        assert self.old in self.host, self.name
        return self.host.replace(self.old, self.new)


PLAIN = decoder()
# Tokens in the order of their experts, as grouped kernels take them.
SORTED = recurrent(
    """
    self.router = nn.Linear(dim, 4)
    self.experts = nn.Parameter(torch.randn(4, dim, dim) / dim)
    """,
    """
    weight, chosen = self.router(x).flatten(0, 1).softmax(-1).max(-1)
    order = chosen.argsort(stable=True)
    flat = x.flatten(0, 1)[order]
    flat = (flat[:, None] @ self.experts[chosen[order]])[:, 0] * weight[order, None]
    y = torch.empty_like(flat).index_copy(0, order, flat).view_as(x)
    x = x + y
    """,
)
BUFFERED = decoder(
    "scores = scores.masked_fill(self.seen[:T, :T] == 0, -1e9)",
    kept='self.register_buffer("seen", torch.ones(span, span).tril())',
)
ADDED = decoder(
    """
    mask = torch.zeros(T, T)
    mask = mask.masked_fill(torch.arange(T)[None] > torch.arange(T)[:, None], float("-inf"))
    scores = scores + mask
    """
)
FUSED = PLAIN.replace(f"        {CAUSAL}\n", "").replace(
    "scores.softmax(-1) @ v", "F.scaled_dot_product_attention(q, k, v, is_causal=True)"
)
FUSED_MASK = PLAIN.replace(CAUSAL, "seen = torch.ones(T, T, dtype=torch.bool).tril()").replace(
    "scores.softmax(-1) @ v", "F.scaled_dot_product_attention(q, k, v, attn_mask=seen)"
)
TORCHS = HEALTHY["torch's own layers"]
CONVOLVING = HEALTHY["causal convolution"]
HANDED = (
    decoder("scores = scores + mask")
    .replace("def forward(self, x):", "def forward(self, x, mask):")
    .replace("self.attend(self.before(x))", "self.attend(self.before(x), mask)")
    .replace(
        "        for layer in self.layers:\n            x = layer(x)\n",
        "        mask = torch.full((ids.shape[1],) * 2, -torch.inf).triu(1)\n"
        "        for layer in self.layers:\n            x = layer(x, mask)\n",
    )
)
ROTARY = decoder(
    "scores = scores.masked_fill(torch.ones(T, T, dtype=torch.bool).triu(1), -torch.inf)",
    positions="",
    added="",
    kept="self.rope = Rotate(dim // heads)",
).replace(
    "        scores = q @",
    "        q, k = self.rope(q), self.rope(k)\n        scores = q @",
)
ROTARY = (
    """
class Rotate(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.register_buffer("freqs", 1.0 / 100 ** (torch.arange(0, dim, 2) / dim))

    def forward(self, x):
        angle = torch.outer(torch.arange(x.shape[-2]), self.freqs)
        a, b = x.chunk(2, dim=-1)
        return torch.cat([a * angle.cos() - b * angle.sin(), a * angle.sin() + b * angle.cos()], -1)

"""
    + ROTARY
)
PADDED = (
    decoder(
        CAUSAL,
        """
        if keep is not None:
            scores = scores.masked_fill(keep[:, None, None] == 0, -1e9)
        """,
    )
    .replace("def forward(self, x):", "def forward(self, x, keep=None):")
    .replace("self.attend(self.before(x))", "self.attend(self.before(x), keep)")
    .replace("def forward(self, ids):", "def forward(self, ids, attention_mask=None):")
    .replace("x = layer(x)", "x = layer(x, attention_mask)")
)
# The mask is made in a function, and handed on.
MADE = (
    PADDED.replace("x = layer(x, attention_mask)", "x = layer(x, mask)").replace(
        "        for layer in self.layers:\n",
        "        mask = whole(attention_mask)\n        for layer in self.layers:\n",
    )
    + """

def whole(mask):
    return None if mask is None else mask.bool()
"""
)
# The mask is made once, of the text as well, and handed on.
JOINT = (
    decoder(
        "scores = scores.masked_fill(~seen, -1e9)",
        more=", pad=0",
        positions="self.pad = pad\nself.positions = nn.Parameter(torch.randn(span, dim))",
    )
    .replace("def forward(self, x):", "def forward(self, x, seen):")
    .replace("self.attend(self.before(x))", "self.attend(self.before(x), seen)")
    .replace(
        "        for layer in self.layers:\n            x = layer(x)\n",
        "        order = torch.ones(ids.shape[1], ids.shape[1]).tril()\n"
        "        seen = (ids != self.pad)[:, None, None] & order.bool()\n"
        "        for layer in self.layers:\n            x = layer(x, seen)\n",
    )
)
SLOPED = (
    decoder("scores = scores + slope(self.heads, T)", positions="", added="")
    + """

def slope(heads, T):
    there = torch.arange(T)
    apart = there[None] - there[:, None]
    bias = apart * torch.arange(1, heads + 1)[:, None, None] / heads
    return bias.masked_fill(apart > 0, -torch.inf)
"""
)
GIVEN = HANDED.replace(
    "scores = scores + mask", "scores = scores if mask is None else scores + mask"
)
NUMBERED = decoder(
    CAUSAL,
    positions="self.positions = nn.Embedding(span, dim)",
    added="T = ids.shape[1]\nnumbers = torch.arange(T)\nx = x + self.positions(numbers)",
)
ADDING = """
class Positions(nn.Module):
    def __init__(self, span, dim):
        super().__init__()
        self.table = nn.Parameter(torch.randn(span, dim) * 0.02)

    def forward(self, x):
        return x + self.table[: x.shape[1]]  # added

""" + decoder(
    CAUSAL, positions="self.positions = Positions(span, dim)", added="x = self.positions(x)"
)
OWN = HEALTHY["padding by its id, in layers of its own"]
READING = HEALTHY["padding by its id"]
JOINED_KEEP = (
    decoder("scores = scores.masked_fill(~seen, -1e9)")
    .replace("def forward(self, x):", "def forward(self, x, seen):")
    .replace("self.attend(self.before(x))", "self.attend(self.before(x), seen)")
    .replace("def forward(self, ids):", "def forward(self, ids, attention_mask=None):")
    .replace(
        "        for layer in self.layers:\n            x = layer(x)\n",
        """
        order = seen = torch.ones(ids.shape[1], ids.shape[1]).tril().bool()
        if attention_mask is not None:
            keep = attention_mask[:, None, None].bool()
            seen = order & keep
        for layer in self.layers:
            x = layer(x, seen)
""",
    )
)
WAVES = decoder(
    CAUSAL,
    positions="""
there = torch.arange(span)[:, None]
waves = torch.zeros(span, dim)
waves[:, 0::2] = torch.sin(there / torch.arange(1, dim, 2))
waves[:, 1::2] = torch.cos(there / torch.arange(1, dim, 2))
self.register_buffer("positions", waves)
""",
)
NAMED = PLAIN.replace(
    "        x = x + self.attend(self.before(x))\n",
    "        kept = x\n        mixed = self.attend(self.before(x))\n        x = kept + mixed\n",
)
FUNCTIONS = """
def attend(x, wq, wk):
    scores = (x @ wq) @ (x @ wk).mT
    later = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1)
    return scores.masked_fill(later, -torch.inf).softmax(-1) @ x


class Model(nn.Module):
    def __init__(self, vocab_size=1000, dim=64):
        super().__init__()
        self.words = nn.Embedding(vocab_size, dim)
        self.wq, self.wk = (nn.Parameter(torch.randn(dim, dim)) for _ in range(2))

    def forward(self, ids):
        x = self.words(ids)
        x = x + attend(x, self.wq, self.wk)
        return x @ self.words.weight.T
"""
STARTED = recurrent("", "pass")
SPLIT = "self.to_qkv(x).chunk(3, -1)"
JOINED = "mixed.transpose(1, 2).flatten(-2)"

MUTANTS = (
    Mutant(
        "rows mixed behind sorted experts",
        SORTED,
        "x = x + y",
        "x = x + y\n        x = x + x.mean(0)",
        "GD802",
        "x = x + x.mean(0)",
    ),
    Mutant("mask removed", PLAIN, f"        {CAUSAL}\n", "", "GD801", "in Attend.forward"),
    Mutant("mask one too high", PLAIN, "triu(1)", "triu(2)", "GD801", "triu(2)"),
    Mutant("mask of zeros", PLAIN, ".triu(1)", ".triu(T)", "GD801", ".triu(T)"),
    Mutant(
        "mask after softmax",
        PLAIN,
        CAUSAL,
        "scores = scores.softmax(-1).masked_fill(torch.ones(T, T, dtype=torch.bool).triu(1), 0.0)",
        "GD801",
        "in Attend.forward",
    ),
    Mutant(
        "softmax over the queries", BUFFERED, "softmax(-1)", "softmax(-2)", "GD801", "softmax(-2)"
    ),
    Mutant("buffer one too high", BUFFERED, ".tril()", ".tril(1)", "GD801", ".tril(1)"),
    Mutant("buffer of ones", BUFFERED, ".tril()", "", "GD801", "register_buffer"),
    Mutant(
        "added mask one too high",
        ADDED,
        "> torch.arange(T)[:, None]",
        "> torch.arange(T)[:, None] + 1",
        "GD801",
        "arange(T)[:, None] + 1",
    ),
    Mutant(
        "added mask forgotten",
        ADDED,
        "scores = scores + mask",
        "pass",
        "GD801",
        "in Attend.forward",
    ),
    Mutant(
        "mask left out by a copy",
        BUFFERED,
        ".masked_fill(self.seen[:T, :T] == 0, -1e9)",
        "",
        "GD801",
        "scores = scores",
    ),
    Mutant("joint mask one too high", JOINT, ".tril()", ".tril(1)", "GD801", ".tril(1)"),
    Mutant("joint mask without order", JOINT, " & order.bool()", "", "GD801", "seen = (ids"),
    Mutant("sloped mask one too high", SLOPED, "apart > 0", "apart > 1", "GD801", "apart > 1"),
    Mutant(
        "mask of None",
        GIVEN,
        "mask = torch.full",
        "mask = None if ids.shape[1] else torch.full",
        "GD801",
        "mask = None",
    ),
    Mutant(
        "fused, not causal", FUSED, "is_causal=True", "is_causal=False", "GD801", "is_causal=False"
    ),
    Mutant(
        "fused, causal in training alone",
        FUSED,
        "is_causal=True",
        "is_causal=self.training",
        "GD801",
        "is_causal=self.training",
    ),
    Mutant(
        "fused, causal in evaluation alone",
        FUSED,
        "is_causal=True",
        "is_causal=not self.training",
        "GD801",
        "is_causal=not self.training",
    ),
    Mutant("fused mask one too high", FUSED_MASK, "tril()", "tril(1)", "GD801", "tril(1)"),
    Mutant("fused mask left out", FUSED_MASK, ", attn_mask=seen", "", "GD801", "scaled_dot"),
    Mutant(
        "torch's layers without a mask",
        TORCHS,
        ", mask=mask, is_causal=True",
        "",
        "GD801",
        "self.layers(x)",
    ),
    Mutant(
        "mask not handed on",
        HANDED,
        "self.attend(self.before(x), mask)",
        "self.attend(self.before(x), 0.0)",
        "GD801",
        "self.before(x), 0.0",
    ),
    Mutant(
        "convolution that reaches ahead",
        CONVOLVING,
        "[..., : ids.shape[1]]",
        "[..., -ids.shape[1] :]",
        "GD801",
        "self.conv(x.mT)",
    ),
    Mutant(
        "mean over the text",
        recurrent("", "pass"),
        "        pass\n",
        "        x = x + x.mean(1, keepdim=True)\n",
        "GD801",
        "x.mean(1",
    ),
    Mutant(
        "roll to the left",
        recurrent("", "pass"),
        "        pass\n",
        "        x = x + x.roll(-1, 1)\n",
        "GD801",
        "x.roll(-1",
    ),
    Mutant(
        "reads both ways",
        recurrent("", "pass"),
        "nn.GRU(dim, dim, batch_first=True)",
        "nn.GRU(dim, dim // 2, batch_first=True, bidirectional=True)",
        "GD801",
        "self.memory(",
    ),
    Mutant(
        "a chunk sees itself",
        decoder(),
        CAUSAL,
        "i = torch.arange(T) // 8\n        scores = "
        "scores.masked_fill(i[None] > i[:, None], -torch.inf)",
        "GD801",
        "i[None] > i[:, None]",
    ),
    Mutant("mask turned round", BUFFERED, "== 0", "== 1", "GD806", "== 1"),
    Mutant(
        "mask turned round, infinite",
        PLAIN,
        "triu(1), -torch.inf",
        "tril(), -torch.inf",
        "GD806",
        "tril()",
    ),
    Mutant("sloped, never itself", SLOPED, "apart > 0", "apart >= 0", "GD806", "apart >= 0"),
    Mutant("sloped, turned round", SLOPED, "apart > 0", "apart < 0", "GD806", "apart < 0"),
    Mutant("joint mask turned round", JOINT, ".tril()", ".triu()", "GD806", ".triu()"),
    Mutant("triu for tril", BUFFERED, ".tril()", ".triu()", "GD806", ".triu()"),
    Mutant("never itself", BUFFERED, ".tril()", ".tril(-1)", "GD806", ".tril(-1)"),
    Mutant("never itself, fused", FUSED_MASK, "tril()", "tril(-1)", "GD806", "tril(-1)"),
    Mutant("never itself, infinite", PLAIN, "triu(1)", "triu()", "GD806", "triu()"),
    Mutant(
        "never itself, torch's",
        HEALTHY["torch's attention"],
        "triu(1)",
        "triu()",
        "GD806",
        "triu()",
    ),
    Mutant("positions read", DROPPING, "drop(x + place)", "drop(x)", "GD805", "self.drop(x)"),
    Mutant("positions read, copied", COPYING, "words + place", "words", "GD805", "x = words"),
    Mutant("positions kept", PLACING, "x + self.pe[: x.shape[1]]", "x", "GD805", "x = x"),
    Mutant(
        "a border beside the mask",
        FILLED,
        "bias.masked_fill(~seen, -1e9)",
        "bias",
        "GD801",
        "scores + bias",
    ),
    Mutant(
        "queries, keys and values in one",
        JOINED_PARTS,
        "self.to_words(x)",
        "self.to_words(x - x.mean(0))",
        "GD802",
        "x.mean(0)",
    ),
    Mutant("a cache that is read", CACHING, "x + mixed", "x + 0.0", "GD804", "x + 0.0"),
    Mutant(
        "a method not called",
        OWN_METHOD,
        "self.attend(self.norm(x))",
        "self.norm(x)",
        "GD804",
        "x + self.norm(x)",
    ),
    Mutant("softmax over the heads", PLAIN, "softmax(-1)", "softmax(1)", "GD806", "softmax(1)"),
    Mutant(
        "mean over the batch",
        PLAIN,
        "x = x + self.attend(self.before(x))",
        "x = x - x.mean(0) + self.attend(self.before(x))",
        "GD802",
        "x.mean(0)",
    ),
    Mutant("softmax over the batch", BUFFERED, "softmax(-1)", "softmax(0)", "GD802", "softmax(0)"),
    Mutant(
        "view for transpose",
        PLAIN,
        JOINED,
        "mixed.reshape(T, len(x), -1).transpose(0, 1)",
        "GD802",
        "mixed.reshape(T",
    ),
    Mutant(
        "heads over the rows",
        PLAIN,
        SPLIT,
        "self.to_qkv(x).transpose(0, 1).reshape(x.shape[0], x.shape[1], -1).chunk(3, -1)",
        "GD802",
        "to_qkv(x).transpose",
    ),
    Mutant(
        "rows rolled",
        PLAIN,
        "return self.to_words(x)",
        "return self.to_words(x + x.roll(1, 0))",
        "GD802",
        "x.roll(1, 0)",
    ),
    Mutant(
        "divided by the batch",
        PLAIN,
        "return self.to_words(x)",
        "return self.to_words(x) / len(x)",
        "GD802",
        "/ len(x)",
    ),
    Mutant(
        "statistics of the batch",
        HEALTHY["batch normalisation"],
        "nn.BatchNorm1d(dim)",
        "nn.BatchNorm1d(dim, track_running_stats=False)",
        "GD802",
        "self.norm(",
    ),
    Mutant(
        "attention dropped",
        PLAIN,
        "x = x + self.attend(self.before(x))",
        "self.attend(self.before(x))",
        "GD804",
        "self.attend(self.before(x))",
    ),
    Mutant(
        "attention named and dropped", NAMED, "x = kept + mixed", "x = kept", "GD804", "x = kept"
    ),
    Mutant(
        "attention not called",
        PLAIN,
        "x = x + self.attend(self.before(x))",
        "x = x + self.before(x)",
        "GD804",
        "in Layer.forward",
    ),
    Mutant(
        "values alone",
        PLAIN,
        "mixed = scores.softmax(-1) @ v",
        "scores.softmax(-1); mixed = v",
        "GD804",
        "in Attend.forward",
    ),
    Mutant(
        "values taken as they are",
        FUSED,
        "mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)",
        "mixed = v",
        "GD804",
        "mixed = v",
    ),
    Mutant(
        "functions of its own, not called",
        FUNCTIONS,
        "attend(x, self.wq, self.wk)",
        "x * 0",
        "GD804",
        "x * 0",
    ),
    Mutant("only itself", PLAIN, "triu(1)", "fill_diagonal_(False)", "GD804", "fill_diagonal_"),
    Mutant(
        "times zero", PLAIN, f"self.to_out({JOINED})", f"self.to_out({JOINED} * 0)", "GD804", "* 0"
    ),
    Mutant(
        "state forgotten",
        recurrent("", "pass"),
        "x = self.memory(self.words(ids))[0]",
        "x = self.words(ids); self.memory(x)",
        "GD804",
        "self.memory(x)",
    ),
    Mutant(
        "positions not added",
        PLAIN,
        "x = x + self.positions[: ids.shape[1]]",
        "pass",
        "GD805",
        "in Model.forward",
    ),
    Mutant(
        "positions not added, with layers called Conv1D",
        PLAIN.replace("nn.Linear", "Conv1D").replace(
            "class Attend",
            "class Conv1D(nn.Linear):\n    pass\n\n\nclass Attend",
        ),
        "x = x + self.positions[: ids.shape[1]]",
        "pass",
        "GD805",
        "in Model.forward",
    ),
    Mutant(
        "one position for all",
        PLAIN,
        "self.positions[: ids.shape[1]]",
        "self.positions[:1]",
        "GD805",
        "self.positions[:1]",
    ),
    Mutant(
        "positions left out by a copy",
        PLAIN.replace("x = self.words(ids)", "told = self.words(ids)").replace(
            "x = x + self.pos", "x = told + self.pos"
        ),
        "told + self.positions[: ids.shape[1]]",
        "told",
        "GD805",
        "x = told",
    ),
    Mutant(
        "positions read and left there",
        PLAIN.replace("x = self.words(ids)", "told = self.words(ids)").replace(
            "x = x + self.positions[: ids.shape[1]]",
            "where = self.positions[: ids.shape[1]]\n        x = told + where",
        ),
        "told + where",
        "told",
        "GD805",
        "x = told",
    ),
    Mutant(
        "numbers of positions times zero", NUMBERED, "arange(T)", "arange(T) * 0", "GD805", "* 0"
    ),
    Mutant("distances times zero", SLOPED, "/ heads", "/ heads * 0", "GD805", "* 0"),
    Mutant(
        "positions given back",
        ADDING,
        "return x + self.table[: x.shape[1]]",
        "return x",
        "GD805",
        "return x  # added",
    ),
    Mutant(
        "every position the first",
        WAVES,
        "torch.arange(span)[:, None]",
        "torch.zeros(span)[:, None]",
        "GD805",
        "torch.zeros(span)[:, None]",
    ),
    Mutant(
        "every position made the same",
        WAVES,
        "torch.arange(span)[:, None]",
        "torch.arange(span)[:, None] * 0",
        "GD805",
        "* 0",
    ),
    Mutant(
        "rotation left out",
        ROTARY,
        "        q, k = self.rope(q), self.rope(k)\n",
        "",
        "GD805",
        "in Attend.forward",
    ),
    Mutant(
        "rotation dropped",
        ROTARY,
        "q, k = self.rope(q), self.rope(k)",
        "self.rope(q), self.rope(k)",
        "GD805",
        "in Attend.forward",
    ),
    Mutant(
        "padding mask not applied",
        PADDED,
        "keep[:, None, None] == 0",
        "keep[:, None, None] > 9",
        "GD803",
        "in Attend.forward",
    ),
    Mutant(
        "padding mask not handed on",
        PADDED,
        "self.attend(self.before(x), keep)",
        "self.attend(self.before(x))",
        "GD803",
        "self.attend(self.before(x))",
    ),
    Mutant(
        "padding mask made of nothing",
        MADE,
        "mask = whole(attention_mask)",
        "mask = whole(None)",
        "GD803",
        "mask = whole(None)",
    ),
    Mutant(
        "padding found and turned round", OWN, "src != self", "src == self", "GD803", "src == self"
    ),
    Mutant(
        "padding not hidden from the decoder",
        OWN,
        "self.asks(x, y, kept)",
        "self.asks(x, y, torch.tensor(True))",
        "GD803",
        "self.asks(x, y",
    ),
    Mutant(
        "padding hidden in part",
        READING,
        ", memory_key_padding_mask=padded",
        "",
        "GD803",
        "self.net.decoder(",
    ),
    Mutant("padding mask turned round", PADDED, "None] == 0", "None] == 1", "GD803", "None] == 1"),
    Mutant(
        "a running state",
        PLAIN,
        "return self.to_words(x)",
        "self.last = getattr(self, 'last', 0)"
        " * 0.9 + x.detach()[0, 0]\n        return self.to_words(x + self.last)",
        "GD807",
        "self.last = getattr",
    ),
    Mutant(
        "a running buffer",
        decoder(
            positions="self.positions = nn.Parameter(torch.randn(span, dim))"
            '\nself.register_buffer("level", torch.zeros(()))'
        ),
        "return self.to_words(x)",
        "self.level.add_(x[0, 0, 0].detach())\n        return self.to_words(x + self.level)",
        "GD807",
        "self.level.add_",
    ),
    Mutant(
        "a list that grows",
        decoder(positions="self.positions = nn.Parameter(torch.randn(span, dim))\nself.past = []"),
        "return self.to_words(x)",
        "self.past.append(x[0, -1].detach())\n        return self.to_words(x + self.past[0])",
        "GD807",
        "self.past.append",
    ),
    Mutant(
        "a state begun by a method that makes it",
        STARTED + "\n    def init_state(self, x):\n        return torch.zeros_like(x[:1, :1])\n",
        "return self.to_words(x)",
        "x = x + self.init_state(x)\n        self.init_state = lambda x, last=x[:1, -1:].detach(): "
        "last\n        return self.to_words(x)",
        "GD807",
        "self.init_state = lambda",
    ),
    Mutant(
        "dropout without training",
        PLAIN,
        "return self.to_words(x)",
        "return self.to_words(F.dropout(x, 0.1))",
        "GD808",
        "F.dropout",
    ),
    Mutant(
        "angles that are computed and not turned by",
        TURNED,
        "        q, k = turned(q, cos, sin), turned(k, cos, sin)\n",
        "",
        "GD805",
        "in Attend.forward",
    ),
    Mutant(
        "a chance of 0 under a name of its own that is taken in evaluation",
        HEALTHY["a chance under a name of its own"],
        "self.p, self.training)",
        "self.p, training=True)",
        "GD808",
        "self.p, training=True",
    ),
    Mutant(
        "noise in evaluation",
        PLAIN,
        "return self.to_words(x)",
        "x = x + torch.randn_like(x) * 0.1\n        return self.to_words(x)",
        "GD808",
        "randn_like",
    ),
)
