"""Models by their text: healthy ones that look odd to a probe of information flow, and hosts."""

from __future__ import annotations

import textwrap

# The parts of a small decoder, to be put together below: what attends, and what holds positions.
DECODER = """
class Attend(nn.Module):
    def __init__(self, dim, heads, span):
        super().__init__()
        self.heads = heads
        self.to_qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.to_out = nn.Linear(dim, dim)
{kept}
    def forward(self, x):
        parts = self.to_qkv(x).chunk(3, -1)
        q, k, v = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in parts)
        T = x.shape[1]
        scores = q @ k.mT * q.shape[-1] ** -0.5
{mask}
        mixed = scores.softmax(-1) @ v
        return self.to_out(mixed.transpose(1, 2).flatten(-2))


class Layer(nn.Module):
    def __init__(self, dim, heads, span):
        super().__init__()
        self.attend, self.feed = Attend(dim, heads, span), nn.Linear(dim, dim)
        self.before, self.after = nn.LayerNorm(dim), nn.LayerNorm(dim)

    def forward(self, x):
        x = x + self.attend(self.before(x))
        return x + self.feed(self.after(x)).relu()


class Model(nn.Module):
    def __init__(self, vocab_size=1000, dim=64, heads=4, layers=2, span=32{more}):
        super().__init__()
        self.words = nn.Embedding(vocab_size, dim)
{positions}
        self.layers = nn.ModuleList(Layer(dim, heads, span) for _ in range(layers))
        self.to_words = nn.Linear(dim, vocab_size)

    def forward(self, ids):
        x = self.words(ids)
{added}
        for layer in self.layers:
            x = layer(x)
        return self.to_words(x)
"""
CAUSAL = "scores = scores.masked_fill(torch.ones(T, T, dtype=torch.bool).triu(1), -torch.inf)"


def decoder(
    *masks: str,
    kept: str = "",
    positions: str = "self.positions = nn.Parameter(torch.randn(span, dim) * 0.02)",
    added: str = "x = x + self.positions[: ids.shape[1]]",
    more: str = "",
) -> str:
    """The text of a decoder with these lines in the place of the usual ones."""
    mask = "\n".join(map(textwrap.dedent, masks or (CAUSAL,)))
    indent = {"prefix": " " * 8}
    return DECODER.format(
        mask=textwrap.indent(mask, **indent),
        kept=textwrap.indent(textwrap.dedent(kept), **indent),
        positions=textwrap.indent(textwrap.dedent(positions), **indent),
        added=textwrap.indent(textwrap.dedent(added), **indent),
        more=more,
    )


ENCODER = decoder(
    "",
    positions="self.pos_emb = nn.Embedding(span, dim)",
    added="x = x + self.pos_emb(torch.arange(ids.shape[1]))",
).replace("class Model(nn.Module):", 'class Model(nn.Module):\n    """A bidirectional encoder."""')

PLAIN = """
class Model(nn.Module):
    def __init__(self, vocab_size=1000, dim=64, n_experts=4):
        super().__init__()
        self.words = nn.Embedding(vocab_size, dim)
        self.memory = nn.GRU(dim, dim, batch_first=True)
        {made}
        self.to_words = nn.Linear(dim, vocab_size)

    def forward(self, ids):
        x = self.memory(self.words(ids))[0]
        {mixed}
        return self.to_words(x)
"""


def recurrent(made: str, mixed: str) -> str:
    """The text of a recurrent model with these lines."""
    return PLAIN.format(
        made=textwrap.indent(textwrap.dedent(made), " " * 8).strip(),
        mixed=textwrap.indent(textwrap.dedent(mixed), " " * 8).strip(),
    )


# Rotary positions by functions: no module holds anything of them.
TURNED = """
def turns(length, size):
    angles = torch.arange(length)[:, None] * 100 ** (-torch.arange(0, size, 2) / size)
    return angles.cos(), angles.sin()


def turned(x, cos, sin):
    a, b = x.chunk(2, dim=-1)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], -1)

""" + decoder(positions="", added="cos, sin = turns(ids.shape[1], x.shape[-1] // 4)").replace(
    "x = layer(x)", "x = layer(x, cos, sin)"
).replace("forward(self, x):", "forward(self, x, cos, sin):").replace(
    "self.attend(self.before(x))", "self.attend(self.before(x), cos, sin)"
).replace(
    "        scores = q @",
    "        q, k = turned(q, cos, sin), turned(k, cos, sin)\n        scores = q @",
)


HEALTHY = {
    "rotary positions by functions": TURNED,
    "rotary positions in every second layer": TURNED.replace(
        "self.layers = nn", "self.turning = [True, False]\n        self.layers = nn"
    ).replace(
        "for layer in self.layers:\n            x = layer(x, cos, sin)",
        "for turning, layer in zip(self.turning, self.layers):\n"
        "            x = layer(x, *((cos, sin) if turning else (cos ** 0, sin * 0)))",
    ),
    "no positions but the mask": decoder(positions="", added=""),
    "plain": decoder(),
    "sliding window": decoder(
        """
        i = torch.arange(T)
        gap = i[:, None] - i[None]
        scores = scores.masked_fill((gap < 0) | (gap >= self.window), -torch.inf)
        """,
        kept="self.window = 8",
    ),
    "sinks and a window": decoder(
        """
        i = torch.arange(T)
        gap = i[:, None] - i[None]
        seen = (gap >= 0) & ((gap < 4) | (i[None] < 2))
        scores = torch.where(seen, scores, scores.new_tensor(-1e9))
        """
    ),
    "strided": decoder(
        """
        i = torch.arange(T)
        gap = i[:, None] - i[None]
        scores = scores.masked_fill((gap < 0) | (gap % 3 != 0), float("-inf"))
        """
    ),
    "prefix": decoder(
        """
        hidden = torch.ones(T, T, dtype=torch.bool).triu(1)
        hidden[:, : self.prefix_length] = False
        scores = scores.masked_fill(hidden, -torch.inf)
        """,
        kept="self.prefix_length = 3",
    ),
    "encoder": ENCODER,
    "alibi": decoder(
        """
        i = torch.arange(T)
        slopes = 2.0 ** -torch.arange(1, self.heads + 1)
        scores = scores + slopes[:, None, None] * (i[None] - i[:, None])
        """,
        CAUSAL,
        positions="",
        added="",
    ),
    "no positions": decoder(positions="", added=""),
    "no positions, one layer": decoder(positions="", added="").replace("layers=2", "layers=1"),
    "sinusoids in a frozen parameter": decoder(
        positions="""
        angles = torch.arange(span)[:, None] / 100 ** (torch.arange(dim)[None] / dim)
        self.positions = nn.Parameter(angles.sin(), requires_grad=False)
        """
    ),
    "mask in a frozen parameter": decoder(
        "scores = scores.masked_fill(self.seen[:T, :T] == 0, -torch.inf)",
        kept="self.seen = nn.Parameter(torch.ones(span, span).tril(), requires_grad=False)",
    ),
    "mask built at first and kept": decoder(
        """
        if getattr(self, "mask", None) is None or self.mask.shape[0] < T:
            self.mask = torch.full((T, T), -torch.inf).triu(1)
        scores = scores + self.mask[:T, :T]
        """
    ),
    "unused rotary beside slopes": decoder(
        """
        i = torch.arange(T)
        scores = scores - (i[:, None] - i[None]).abs() * 0.1
        """,
        CAUSAL,
        kept='self.register_buffer("inv_freq", torch.rand(8))',
        positions="",
        added="",
    ),
    "recurrent": recurrent("", ""),
    "causal convolution": recurrent(
        "self.conv = nn.Conv1d(dim, dim, 4, padding=3)",
        "x = x + self.conv(x.mT)[..., : ids.shape[1]].mT",
    ),
    "running mean": recurrent(
        "", "x = x.cumsum(1) / torch.arange(1, ids.shape[1] + 1)[None, :, None]"
    ),
    "selective scan": recurrent(
        "self.decay = nn.Linear(dim, dim)",
        """
        state, states = torch.zeros_like(x[:, 0]), []
        for t in range(ids.shape[1]):
            keep = self.decay(x[:, t]).sigmoid()
            state = keep * state + (1 - keep) * x[:, t]
            states.append(state)
        x = torch.stack(states, dim=1)
        """,
    ),
    "expert choice": recurrent(
        """
        self.router = nn.Linear(dim, n_experts)
        self.experts = nn.ModuleList(nn.Linear(dim, dim) for _ in range(n_experts))
        """,
        """
        flat = x.flatten(0, 1)
        gates = self.router(flat).softmax(dim=-1)
        y = torch.zeros_like(flat)
        for gate, expert in zip(gates.unbind(-1), self.experts):
            weight, chosen = gate.topk(max(1, len(flat) // 2))
            y = y.index_add(0, chosen, weight[:, None] * expert(flat[chosen]))
        x = x + y.view_as(x)
        """,
    ),
    "experts with room for few": recurrent(
        """
        self.capacity_factor = 1.0
        self.router = nn.Linear(dim, n_experts)
        self.experts = nn.ModuleList(nn.Linear(dim, dim) for _ in range(n_experts))
        """,
        """
        flat = x.flatten(0, 1)
        weight, chosen = self.router(flat).softmax(dim=-1).max(dim=-1)
        room = max(1, int(self.capacity_factor * len(flat) / len(self.experts)))
        y = torch.zeros_like(flat)
        for number, expert in enumerate(self.experts):
            mine = (chosen == number).nonzero().flatten()[:room]
            y[mine] = weight[mine, None] * expert(flat[mine])
        x = x + y.view_as(x)
        """,
    ),
    "top-k experts": recurrent(
        """
        self.router = nn.Linear(dim, n_experts)
        self.experts = nn.ModuleList(nn.Linear(dim, dim) for _ in range(n_experts))
        """,
        """
        weight, chosen = self.router(x).softmax(dim=-1).topk(2)
        y = torch.zeros_like(x)
        for number, expert in enumerate(self.experts):
            row, col, slot = (chosen == number).nonzero(as_tuple=True)
            y.index_put_((row, col), weight[row, col, slot, None] * expert(x[row, col]), True)
        x = x + y
        """,
    ),
    "batch normalisation": recurrent(
        "self.norm = nn.BatchNorm1d(dim)", "x = self.norm(x.flatten(0, 1)).view_as(x)"
    ),
    "dropout": recurrent(
        "self.drop = nn.Dropout(0.3)", "x = F.dropout(self.drop(x), 0.2, self.training)"
    ),
    "noisy router in training": recurrent(
        "self.router = nn.Linear(dim, n_experts)",
        """
        scores = self.router(x)
        if self.training:
            scores = scores + torch.randn_like(scores)
        x = x * scores.softmax(-1).amax(-1, keepdim=True)
        """,
    ),
    "a cache with a reset": recurrent(
        "self.cache = None",
        """
        if self.cache is not None and self.cache.shape == x.shape:
            x = x + 0.1 * self.cache
        self.cache = x.detach()
        """,
    )
    + "\n    def reset_cache(self):\n        self.cache = None\n",
    "a count of calls": recurrent("self.calls = 0", "self.calls += 1"),
    "a table of pairs": """
class Model(nn.Module):
    def __init__(self, vocab_size=1000):
        super().__init__()
        self.table = nn.Embedding(vocab_size, vocab_size)

    def forward(self, ids):
        return self.table(ids)
""",
    "time first": PLAIN.format(made="pass", mixed="pass").replace(", batch_first=True", ""),
    "torch's own layers": """
class Model(nn.Module):
    def __init__(self, vocab_size=1000, dim=64, heads=4):
        super().__init__()
        self.words = nn.Embedding(vocab_size, dim)
        self.pos = nn.Embedding(32, dim)
        layer = nn.TransformerEncoderLayer(dim, heads, 136, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, 2)
        self.to_words = nn.Linear(dim, vocab_size)

    def forward(self, ids):
        x = self.words(ids) + self.pos(torch.arange(ids.shape[1]))
        mask = nn.Transformer.generate_square_subsequent_mask(ids.shape[1])
        return self.to_words(self.layers(x, mask=mask, is_causal=True))
""",
    "an encoder and a decoder": """
class Model(nn.Module):
    def __init__(self, vocab_size=1000, dim=64, heads=4):
        super().__init__()
        self.words = nn.Embedding(vocab_size, dim)
        self.net = nn.Transformer(dim, heads, 1, 1, 136, batch_first=True)
        self.to_words = nn.Linear(dim, vocab_size)

    def forward(self, src, tgt):
        mask = torch.full((tgt.shape[1],) * 2, -torch.inf).triu(1)
        return self.to_words(self.net(self.words(src), self.words(tgt), tgt_mask=mask))
""",
    "padding by its id": """
class Model(nn.Module):
    def __init__(self, vocab_size=1000, dim=64, heads=4, pad=0):
        super().__init__()
        self.pad = pad
        self.words = nn.Embedding(vocab_size, dim)
        self.net = nn.Transformer(dim, heads, 1, 1, 136, batch_first=True)
        self.to_words = nn.Linear(dim, vocab_size)

    def forward(self, src, tgt):
        padded = src == self.pad
        later = torch.full((tgt.shape[1],) * 2, True).triu(1)
        x, y = self.words(src), self.words(tgt)
        x = self.net.encoder(x, src_key_padding_mask=padded)
        y = self.net.decoder(y, x, tgt_mask=later, memory_key_padding_mask=padded)
        return self.to_words(y)
""",
    "padding by its id, in layers of its own": """
class Look(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.ask, self.tell, self.give = (nn.Linear(dim, dim) for _ in range(3))

    def forward(self, x, y, seen):
        scores = self.ask(x) @ self.tell(y).mT * x.shape[-1] ** -0.5
        return scores.masked_fill(~seen, -1e9).softmax(-1) @ self.give(y)


class Model(nn.Module):
    def __init__(self, vocab_size=1000, dim=64, pad=0):
        super().__init__()
        self.pad = pad
        self.words, self.places = nn.Embedding(vocab_size, dim), nn.Embedding(64, dim)
        self.reads, self.tells, self.asks = Look(dim), Look(dim), Look(dim)
        self.to_words = nn.Linear(dim, vocab_size)

    def forward(self, src, tgt):
        kept = (src != self.pad)[:, None]
        y = self.words(src) + self.places(torch.arange(src.shape[1]))
        y = y + self.reads(y, y, kept)
        x = self.words(tgt) + self.places(torch.arange(tgt.shape[1]))
        x = x + self.tells(x, x, torch.ones(tgt.shape[1], tgt.shape[1]).tril().bool())
        x = x + self.asks(x, y, kept)
        return self.to_words(x)
""",
    "positions that count what is no padding": decoder(
        CAUSAL,
        positions="self.pad = 1\nself.positions = nn.Embedding(span + 2, dim, padding_idx=1)",
        added="real = ids.ne(self.pad).int()\n"
        "x = x + self.positions((real.cumsum(1) * real).long() + self.pad)",
    ),
    "a state that is handed back": recurrent(
        "",
        "x = x + self.first_state(len(x))",
    )
    + "\n    def first_state(self, rows):\n        return torch.zeros(rows, 1, 64)\n",
    "a state that the constructor begins": recurrent(
        "self.state = self.init_state()",
        """
        x = x + self.state
        self.state = x.detach().mean((0, 1))
        """,
    )
    + "\n    def init_state(self):\n        return torch.zeros(64)\n",
    "a chance under a name of its own": recurrent(
        "self.p = dropout",
        "x = F.dropout(x, self.p, self.training)\n"
        "x = F.dropout(x, self.p if self.training else 0.0)",
    ).replace("n_experts=4", "dropout=0.1"),
    "a classifier": """
class Model(nn.Module):
    def __init__(self, vocab_size=1000, dim=64, heads=4):
        super().__init__()
        self.words = nn.Embedding(vocab_size, dim)
        self.mix = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.to_class = nn.Linear(dim, 3)

    def forward(self, ids):
        x = self.words(ids)
        return self.to_class(self.mix(x, x, x)[0].mean(1))
""",
    "torch's attention": """
class Model(nn.Module):
    def __init__(self, vocab_size=1000, dim=64, heads=4):
        super().__init__()
        self.words, self.places = nn.Embedding(vocab_size, dim), nn.Embedding(128, dim)
        self.mix = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.out = nn.Linear(dim, vocab_size)

    def forward(self, ids):
        T = ids.shape[1]
        x = self.words(ids) + self.places(torch.arange(T))
        hidden = torch.ones(T, T, dtype=torch.bool).triu(1)
        x = x + self.mix(x, x, x, attn_mask=hidden, need_weights=False)[0]
        return self.out(x)
""",
}
