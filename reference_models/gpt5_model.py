"""GPT-5: a sparse decoder that reads a text chunk by chunk.

- Vein attention: keys and values are read from a low-rank projection of the input.
- Codebook MoE: each token goes to the experts whose codes it resembles most, and through one
  expert that all tokens share.
- Streaming retrieval: after the last block each token looks into a bank of learned slots and of
  states that earlier chunks left behind. The caller carries that memory from chunk to chunk.
- Leaf-Vote: several heads propose logits for each token, the most certain one is heard.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn as nn
import torch.nn.functional as F

from apt_model.modeling.blocks import VeinProjector


@dataclass
class GPT5Config:
    vocab_size: int = 32000
    block_size: int = 1024  # tokens in one chunk when generating
    n_layer: int = 12
    n_head: int = 12
    n_embd: int = 768
    rank: int = 128  # width of the vein
    n_expert: int = 8
    top_k: int = 2  # experts for each token
    n_leaf: int = 2  # heads that vote
    n_slot: int = 64  # learned entries of the memory bank
    memory_len: int = 256  # states kept from earlier chunks
    rope_base: float = 10000.0

    def __post_init__(self):
        if self.n_embd % (2 * self.n_head) != 0:  # rotary positions turn pairs of channels
            raise ValueError(
                f"n_embd ({self.n_embd}) must be divisible by 2 * n_head ({self.n_head})"
            )
        if not 1 <= self.top_k <= self.n_expert:
            raise ValueError(f"top_k ({self.top_k}) must lie in 1..n_expert ({self.n_expert})")
        if self.memory_len < 1:
            raise ValueError(f"memory_len ({self.memory_len}) must be positive")


class Rotary(nn.Module):
    """Rotary positions (RoPE): turns each pair of channels by an angle that grows with t."""

    def __init__(self, head_dim, base):
        super().__init__()
        inv_freq = base ** -(torch.arange(0, head_dim, 2) / head_dim)  # [D / 2]
        self.register_buffer("inv_freq", inv_freq, persistent=False)

    def forward(self, x):
        T = x.size(-2)
        t = torch.arange(T, device=x.device, dtype=self.inv_freq.dtype)
        angle = torch.outer(t, self.inv_freq)  # [T, D / 2]
        cos, sin = angle.cos(), angle.sin()
        a, b = x.chunk(2, dim=-1)  # [B, H, T, D / 2] each
        return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1)  # [B, H, T, D]


class VeinAttention(nn.Module):
    """Causal self-attention; keys and values share one low-rank latent."""

    def __init__(self, config):
        super().__init__()
        self.n_head = config.n_head
        self.query = nn.Linear(config.n_embd, config.n_embd, bias=False)
        self.vein = VeinProjector(config.n_embd, config.rank)
        self.key = nn.Linear(config.rank, config.n_embd, bias=False)
        self.proj = nn.Linear(config.n_embd, config.n_embd, bias=False)
        self.rotary = Rotary(config.n_embd // config.n_head, config.rope_base)

    def forward(self, x):
        B, T, C = x.shape
        heads = (B, T, self.n_head, C // self.n_head)
        z = self.vein.project(x)  # [B, T, R]
        q = self.query(x).view(heads).transpose(1, 2)  # [B, H, T, D]
        k = self.key(z).view(heads).transpose(1, 2)  # [B, H, T, D]
        v = self.vein.reconstruct(z).view(heads).transpose(1, 2)  # [B, H, T, D]
        y = F.scaled_dot_product_attention(self.rotary(q), self.rotary(k), v, is_causal=True)
        y = y.transpose(1, 2).reshape(B, T, C)  # [B, T, C]
        return self.proj(y)


class Expert(nn.Module):
    def __init__(self, n_embd):
        super().__init__()
        self.fc = nn.Linear(n_embd, 2 * n_embd)
        self.proj = nn.Linear(2 * n_embd, n_embd)

    def forward(self, x):
        return self.proj(F.silu(self.fc(x)))  # [N, C]


class CodebookMoE(nn.Module):
    """A code for each expert; a token is sent to the top_k experts with the nearest codes."""

    def __init__(self, config):
        super().__init__()
        self.top_k = config.top_k
        self.codebook = nn.Parameter(torch.empty(config.n_expert, config.n_embd))
        nn.init.normal_(self.codebook, std=0.02)
        self.experts = nn.ModuleList([Expert(config.n_embd) for _ in range(config.n_expert)])
        self.shared = Expert(config.n_embd)

    def forward(self, x):
        B, T, C = x.shape
        x = x.reshape(-1, C)  # [N, C], N = B * T
        scores = F.linear(x, self.codebook)  # [N, E]
        # not normalised again after the choice, so that the codes learn with top_k = 1 too
        weights, chosen = scores.softmax(dim=-1).topk(self.top_k, dim=-1)  # [N, K] each

        out = torch.zeros_like(x)  # [N, C]
        for e in chosen.unique().tolist():  # experts that nobody chose are not run
            row, slot = (chosen == e).nonzero(as_tuple=True)  # [n] each
            y = self.experts[e](x[row])  # [n, C]
            out = out.index_add(0, row, weights[row, slot].unsqueeze(-1) * y)
        out = out + self.shared(x)  # [N, C]
        return out.view(B, T, C)


class Block(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.ln_1 = nn.LayerNorm(config.n_embd)
        self.attn = VeinAttention(config)
        self.ln_2 = nn.LayerNorm(config.n_embd)
        self.moe = CodebookMoE(config)

    def forward(self, x):
        x = x + self.attn(self.ln_1(x))  # [B, T, C]
        x = x + self.moe(self.ln_2(x))  # [B, T, C]
        return x


class StreamingRetrieval(nn.Module):
    """Looks into learned slots and into the memory, both of which are older than the chunk.

    Nothing is kept here between calls: the memory comes in and goes out as a tensor [B, M, C].
    """

    def __init__(self, config):
        super().__init__()
        self.n_head = config.n_head
        self.memory_len = config.memory_len
        self.slots = nn.Parameter(torch.empty(config.n_slot, config.n_embd))
        nn.init.normal_(self.slots, std=0.02)
        self.ln_bank = nn.LayerNorm(config.n_embd)
        self.query = nn.Linear(config.n_embd, config.n_embd, bias=False)
        self.key = nn.Linear(config.n_embd, config.n_embd, bias=False)
        self.value = nn.Linear(config.n_embd, config.n_embd, bias=False)
        self.proj = nn.Linear(config.n_embd, config.n_embd, bias=False)

    def split_heads(self, x):
        B, L, C = x.shape
        return x.view(B, L, self.n_head, C // self.n_head).transpose(1, 2)  # [B, H, L, D]

    def forward(self, x, memory=None):
        B, T, C = x.shape
        bank = self.slots.expand(B, -1, -1)  # [B, S, C]
        if memory is not None:
            bank = torch.cat([bank, memory], dim=1)  # [B, S + M, C]
        bank = self.ln_bank(bank)
        q = self.split_heads(self.query(x))  # [B, H, T, D]
        k = self.split_heads(self.key(bank))  # [B, H, S + M, D]
        v = self.split_heads(self.value(bank))  # [B, H, S + M, D]
        att = (q @ k.transpose(-2, -1)) / math.sqrt(q.size(-1))  # [B, H, T, S + M]
        y = F.softmax(att, dim=-1) @ v  # [B, H, T, D]
        y = y.transpose(1, 2).reshape(B, T, C)  # [B, T, C]
        return self.proj(y)

    def remember(self, x, memory=None):
        seen = x if memory is None else torch.cat([memory, x], dim=1)  # [B, M + T, C]
        return seen[:, -self.memory_len :]  # the newest states only


class LeafVote(nn.Module):
    """n_leaf heads propose; for each token the one with the lowest entropy wins."""

    def __init__(self, config):
        super().__init__()
        self.leaves = nn.ModuleList(
            [nn.Linear(config.n_embd, config.vocab_size, bias=False) for _ in range(config.n_leaf)]
        )

    def forward(self, x):
        votes = torch.stack([leaf(x) for leaf in self.leaves], dim=2)  # [B, T, K, V]
        logp = F.log_softmax(votes, dim=-1)
        certainty = (logp.exp() * logp).sum(dim=-1)  # [B, T, K], minus the entropy
        winner = certainty.argmax(dim=-1)  # [B, T]
        index = winner[:, :, None, None].expand(-1, -1, 1, votes.size(-1))  # [B, T, 1, V]
        return votes.gather(2, index).squeeze(2)  # [B, T, V]


class GPT5Model(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.wte = nn.Embedding(config.vocab_size, config.n_embd)
        self.blocks = nn.ModuleList([Block(config) for _ in range(config.n_layer)])
        self.ln_r = nn.LayerNorm(config.n_embd)
        self.retrieval = StreamingRetrieval(config)
        self.ln_f = nn.LayerNorm(config.n_embd)
        self.vote = LeafVote(config)
        self.apply(self._init_weights)

    def _init_weights(self, module):
        if isinstance(module, (nn.Linear, nn.Embedding)):
            nn.init.normal_(module.weight, mean=0.0, std=0.02)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)

    def forward_step(self, input_ids, memory=None):
        """Read one chunk: ids [B, T] -> logits [B, T, V] and the memory for the next chunk.

        The memory still hangs on the graph of this chunk; to train over many chunks, detach it
        between two steps of the optimizer.
        """
        x = self.wte(input_ids)  # [B, T, C]
        for block in self.blocks:
            x = block(x)  # [B, T, C]
        new_memory = self.retrieval.remember(x, memory)  # [B, M, C]
        x = x + self.retrieval(self.ln_r(x), memory)  # [B, T, C]
        logits = self.vote(self.ln_f(x))  # [B, T, V]
        return logits, new_memory

    @torch.no_grad()
    def generate_stream(self, input_ids, max_new_tokens=32, temperature=1.0):
        """Continue input_ids [B, T]; a chunk that is full moves into the memory."""
        memory, start = None, 0
        for _ in range(max_new_tokens):
            while input_ids.size(1) - start > self.config.block_size:
                stop = start + self.config.block_size
                _, memory = self.forward_step(input_ids[:, start:stop], memory)
                start = stop
            logits, _ = self.forward_step(input_ids[:, start:], memory)
            logits = logits[:, -1, :]  # [B, V]
            if temperature > 0:
                probs = F.softmax(logits / temperature, dim=-1)
                next_id = torch.multinomial(probs, num_samples=1)  # [B, 1]
            else:
                next_id = logits.argmax(dim=-1, keepdim=True)  # [B, 1]
            input_ids = torch.cat([input_ids, next_id], dim=1)  # [B, T + 1]
        return input_ids
