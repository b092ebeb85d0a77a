"""Ten small language models in ten styles, for the benchmark of the worker to write to a folder."""

from __future__ import annotations

_HEAD = "import torch\nfrom torch import nn\nimport torch.nn.functional as F\n\n"

_BLOCK = """
class Block(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.norm_1, self.norm_2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.qkv, self.proj = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.up, self.down = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)

    def forward(self, x):
        b, t, d = x.shape
        q, k, v = self.qkv(self.norm_1(x)).chunk(3, dim=-1)
        q, k, v = (one.view(b, t, self.heads, d // self.heads).transpose(1, 2) for one in (q, k, v))
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.proj(mixed.transpose(1, 2).reshape(b, t, d))
        return x + self.down(F.gelu(self.up(self.norm_2(x))))

"""

_ARGUMENTS = """
class Arguments(nn.Module):
    def __init__(self, vocab_size=50257, d_model=768, n_heads=12, n_layers=12):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, d_model)
        self.blocks = nn.ModuleList([Block(d_model, n_heads) for _ in range(n_layers)])
        self.head = nn.Linear(d_model, vocab_size)

    def forward(self, ids):
        x = self.embed(ids)
        for block in self.blocks:
            x = block(x)
        return self.head(x)
"""

_DATACLASS = """
from dataclasses import dataclass

@dataclass
class Config:
    vocab_size: int = 50304
    block_size: int = 1024
    n_layer: int = 12
    n_head: int = 12
    n_embd: int = 768

class FromDataclass(nn.Module):
    def __init__(self, config: Config):
        super().__init__()
        self.wte = nn.Embedding(config.vocab_size, config.n_embd)
        self.wpe = nn.Embedding(config.block_size, config.n_embd)
        self.h = nn.Sequential(
            *[Block(config.n_embd, config.n_head) for _ in range(config.n_layer)])
        self.lm_head = nn.Linear(config.n_embd, config.vocab_size, bias=False)

    def forward(self, idx, targets=None):
        x = self.h(self.wte(idx) + self.wpe(torch.arange(idx.shape[1])))
        logits = self.lm_head(x)
        if targets is None:
            return logits, None
        return logits, F.cross_entropy(logits.flatten(0, 1), targets.flatten())
"""

_DICTIONARY = """
GPT_CONFIG = {"vocab_size": 50257, "context_length": 1024, "emb_dim": 768, "n_heads": 12,
              "n_layers": 12, "drop_rate": 0.1}

class FromDictionary(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        self.tok_emb = nn.Embedding(cfg["vocab_size"], cfg["emb_dim"])
        self.pos_emb = nn.Embedding(cfg["context_length"], cfg["emb_dim"])
        self.drop = nn.Dropout(cfg["drop_rate"])
        self.blocks = nn.Sequential(
            *[Block(cfg["emb_dim"], cfg["n_heads"]) for _ in range(cfg["n_layers"])])
        self.out = nn.Linear(cfg["emb_dim"], cfg["vocab_size"])

    def forward(self, in_idx):
        x = self.tok_emb(in_idx) + self.pos_emb(torch.arange(in_idx.shape[1]))
        return self.out(self.blocks(self.drop(x)))
"""

_CLASS = """
class Settings:
    def __init__(self, vocab_size=32000, hidden_size=4096, num_heads=32, num_layers=32, **more):
        self.vocab_size, self.hidden_size = vocab_size, hidden_size
        self.num_heads, self.num_layers = num_heads, num_layers
        for name, value in more.items():
            setattr(self, name, value)

class FromClass(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.embed = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.Sequential(
            *[Block(config.hidden_size, config.num_heads) for _ in range(config.num_layers)])
        self.head = nn.Linear(config.hidden_size, config.vocab_size)

    def forward(self, input_ids):
        return {"logits": self.head(self.layers(self.embed(input_ids)))}
"""

_CONSTANTS = """
vocab_size, n_embd, n_head, n_layer, block_size = 65, 384, 6, 6, 256

class FromConstants(nn.Module):
    def __init__(self):
        super().__init__()
        self.token_table = nn.Embedding(vocab_size, n_embd)
        self.position_table = nn.Embedding(block_size, n_embd)
        self.blocks = nn.Sequential(*[Block(n_embd, n_head) for _ in range(n_layer)])
        self.lm_head = nn.Linear(n_embd, vocab_size)

    def forward(self, idx, targets=None):
        x = self.token_table(idx) + self.position_table(torch.arange(idx.shape[1]))
        logits = self.lm_head(self.blocks(x))
        loss = None
        if targets is not None:
            loss = F.cross_entropy(logits.view(-1, vocab_size), targets.view(-1))
        return logits, loss
"""

_RECURRENT = """
class Recurrent(nn.Module):
    def __init__(self, ntoken, ninp, nhid, nlayers, dropout=0.5):
        super().__init__()
        self.encoder = nn.Embedding(ntoken, ninp)
        self.rnn = nn.LSTM(ninp, nhid, nlayers, dropout=dropout, batch_first=True)
        self.decoder = nn.Linear(nhid, ntoken)

    def forward(self, input, hidden=None):
        output, hidden = self.rnn(self.encoder(input), hidden)
        return self.decoder(output), hidden
"""

_POSITIONED = """
class Positioned(nn.Module):
    def __init__(self, vocab_size: int, dim: int, n_heads: int, n_layers: int, max_seq_len: int):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, dim)
        self.places = nn.Embedding(2 * max_seq_len, dim)
        self.layers = nn.ModuleList([Block(dim, n_heads) for _ in range(n_layers)])
        self.output = nn.Linear(dim, vocab_size)

    def forward(self, tokens, start_pos: int):
        x = self.embed(tokens) + self.places(torch.arange(start_pos, start_pos + tokens.shape[1]))
        for layer in self.layers:
            x = layer(x)
        return self.output(x)
"""

_EXPERTS = """
class Experts(nn.Module):
    def __init__(self, vocab_size=32000, dim=512, num_experts=8, top_k=2):
        super().__init__()
        self.top_k = top_k
        self.embed = nn.Embedding(vocab_size, dim)
        self.gate = nn.Linear(dim, num_experts)
        self.experts = nn.ModuleList([nn.Linear(dim, dim) for _ in range(num_experts)])
        self.head = nn.Linear(dim, vocab_size)

    def forward(self, ids):
        x = self.embed(ids)
        weights, chosen = self.gate(x).softmax(-1).topk(self.top_k, dim=-1)
        out = torch.zeros_like(x)
        for index, expert in enumerate(self.experts):
            share = (weights * (chosen == index)).sum(-1, keepdim=True)
            out = out + share * expert(x)
        return self.head(x + out)
"""

_OUTPUT = """
from dataclasses import dataclass
from typing import Optional

@dataclass
class Output:
    logits: torch.Tensor
    loss: Optional[torch.Tensor] = None

class OutputObject(nn.Module):
    def __init__(self, vocab_size=1000, dim=128, heads=4, depth=4):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, dim)
        self.layers = nn.Sequential(*[Block(dim, heads) for _ in range(depth)])
        self.head = nn.Linear(dim, vocab_size)

    def forward(self, input_ids, labels=None):
        logits = self.head(self.layers(self.embed(input_ids)))
        loss = None
        if labels is not None:
            loss = F.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())
        return Output(logits=logits, loss=loss)
"""

_TWO_TOWERS = """
class TwoTowers(nn.Module):
    def __init__(self, src_vocab=8000, tgt_vocab=8000, d_model=512, nhead=8, num_layers=6):
        super().__init__()
        self.src, self.tgt = nn.Embedding(src_vocab, d_model), nn.Embedding(tgt_vocab, d_model)
        self.core = nn.Transformer(
            d_model, nhead, num_layers, num_layers, 4 * d_model, batch_first=True)
        self.out = nn.Linear(d_model, tgt_vocab)

    def forward(self, src, tgt):
        mask = nn.Transformer.generate_square_subsequent_mask(tgt.shape[1])
        return self.out(self.core(self.src(src), self.tgt(tgt), tgt_mask=mask))
"""

TEN_MODELS = {
    "arguments.py": _HEAD + _BLOCK + _ARGUMENTS,
    "from_dataclass.py": _HEAD + _BLOCK + _DATACLASS,
    "from_dictionary.py": _HEAD + _BLOCK + _DICTIONARY,
    "from_class.py": _HEAD + _BLOCK + _CLASS,
    "from_constants.py": _HEAD + _BLOCK + _CONSTANTS,
    "recurrent.py": _HEAD + _RECURRENT,
    "positioned.py": _HEAD + _BLOCK + _POSITIONED,
    "experts.py": _HEAD + _EXPERTS,
    "output_object.py": _HEAD + _BLOCK + _OUTPUT,
    "two_towers.py": _HEAD + _TWO_TOWERS,
}
