"""GPT-4o: one decoder for text, images and sound.

Three ideas on top of a plain pre-norm transformer:

- Tri-Vein Attention: queries, keys and values all live in one shared low-rank subspace, so that
  attention costs `rank` and not `d_model` per token.
- Hybrid FFN: a softmax gate mixes a few expert MLPs, softly and for each token on its own.
- Omni input: image and audio features are pooled, projected and added to the text embeddings.
"""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F


class TriVeinAttention(nn.Module):
    """Causal self-attention inside a subspace of `rank` dimensions."""

    def __init__(self, d_model, n_heads, rank, max_seq_len, dropout):
        super().__init__()
        if rank % n_heads != 0:
            raise ValueError(f"rank ({rank}) must be divisible by n_heads ({n_heads})")
        self.n_heads = n_heads
        self.vein = nn.Linear(d_model, rank, bias=False)  # the way into the subspace, for all three
        self.q_vein = nn.Linear(rank, rank, bias=False)
        self.k_vein = nn.Linear(rank, rank, bias=False)
        self.v_vein = nn.Linear(rank, rank, bias=False)
        self.out = nn.Linear(rank, d_model, bias=False)  # and the way back
        self.dropout = nn.Dropout(dropout)
        # position i may look at position j where the mask is true: j <= i
        mask = torch.ones(max_seq_len, max_seq_len, dtype=torch.bool).tril()
        self.register_buffer("mask", mask.view(1, 1, max_seq_len, max_seq_len), persistent=False)

    def split_heads(self, z):
        B, T, R = z.shape
        return z.view(B, T, self.n_heads, R // self.n_heads).transpose(1, 2)  # [B, H, T, D]

    def forward(self, x):
        B, T, _ = x.shape
        z = self.vein(x)  # [B, T, R]
        q = self.split_heads(self.q_vein(z))  # [B, H, T, D]
        k = self.split_heads(self.k_vein(z))  # [B, H, T, D]
        v = self.split_heads(self.v_vein(z))  # [B, H, T, D]

        att = (q @ k.transpose(-2, -1)) / math.sqrt(q.size(-1))  # [B, H, T, T]
        att = att.masked_fill(~self.mask[:, :, :T, :T], float("-inf"))
        att = self.dropout(F.softmax(att, dim=-1))

        y = att @ v  # [B, H, T, D]
        y = y.transpose(1, 2).reshape(B, T, -1)  # [B, T, R]
        return self.out(y)  # [B, T, C]


class ExpertMLP(nn.Module):
    """The usual two-layer MLP, four times as wide inside."""

    def __init__(self, d_model):
        super().__init__()
        self.fc = nn.Linear(d_model, 4 * d_model)
        self.proj = nn.Linear(4 * d_model, d_model)

    def forward(self, x):
        return self.proj(F.gelu(self.fc(x)))  # [B, T, C]


class HybridFFN(nn.Module):
    """A soft mixture: every expert sees every token, the gate says how much each one counts."""

    def __init__(self, d_model, n_experts, dropout):
        super().__init__()
        self.gate = nn.Linear(d_model, n_experts)
        self.experts = nn.ModuleList([ExpertMLP(d_model) for _ in range(n_experts)])
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        gate_weights = F.softmax(self.gate(x), dim=-1)  # [B, T, E]
        outputs = sum(
            w.unsqueeze(-1) * expert(x) for w, expert in zip(gate_weights.T, self.experts)
        )
        return self.dropout(outputs)  # [B, T, C]


class Block(nn.Module):
    """Attention, then the mixture of experts, each behind a LayerNorm and a residual."""

    def __init__(self, d_model, n_heads, rank, n_experts, max_seq_len, dropout):
        super().__init__()
        self.ln_1 = nn.LayerNorm(d_model)
        self.attn = TriVeinAttention(d_model, n_heads, rank, max_seq_len, dropout)
        self.ln_2 = nn.LayerNorm(d_model)
        self.ffn = HybridFFN(d_model, n_experts, dropout)

    def forward(self, x):
        x = x + self.attn(self.ln_1(x))  # [B, T, C]
        x = x + self.ffn(self.ln_2(x))  # [B, T, C]
        return x


class OmniInputEncoder(nn.Module):
    """Text ids, image features and audio features, each of them optional, to one sequence.

    Images and sound have no place in the order of the words: they are pooled to a single vector
    that is added at every position.
    """

    def __init__(self, vocab_size, d_model, image_dim, audio_dim):
        super().__init__()
        self.wte = nn.Embedding(vocab_size, d_model)
        self.image_proj = nn.Linear(image_dim, d_model)
        self.audio_proj = nn.Linear(audio_dim, d_model)

    def pool(self, feat):
        if feat.dim() == 2:  # [B, D], pooled already
            return feat.unsqueeze(1)  # [B, 1, D]
        return feat.mean(dim=1, keepdim=True)  # [B, N, D] -> [B, 1, D]

    def forward(self, text_ids=None, image_feat=None, audio_feat=None):
        parts = []
        if text_ids is not None:
            parts.append(self.wte(text_ids))  # [B, T, C]
        if image_feat is not None:
            parts.append(self.image_proj(self.pool(image_feat)))  # [B, 1, C]
        if audio_feat is not None:
            parts.append(self.audio_proj(self.pool(audio_feat)))  # [B, 1, C]
        return sum(parts) / len(parts)  # [B, T, C]


class GPT4oModel(nn.Module):
    def __init__(
        self,
        vocab_size=32000,
        d_model=768,
        n_heads=12,
        n_layers=12,
        rank=192,
        n_experts=4,
        max_seq_len=1024,
        image_dim=1024,
        audio_dim=128,
        dropout=0.0,
    ):
        super().__init__()
        self.max_seq_len = max_seq_len
        self.encoder = OmniInputEncoder(vocab_size, d_model, image_dim, audio_dim)
        self.wpe = nn.Embedding(max_seq_len, d_model)
        self.drop = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(
            [
                Block(d_model, n_heads, rank, n_experts, max_seq_len, dropout)
                for _ in range(n_layers)
            ]
        )
        self.ln_f = nn.LayerNorm(d_model)
        self.lm_head = nn.Linear(d_model, vocab_size, bias=False)
        self.apply(self._init_weights)

    def _init_weights(self, module):
        # small weights give almost equal logits, so that the first loss is about ln(vocab_size)
        if isinstance(module, (nn.Linear, nn.Embedding)):
            nn.init.normal_(module.weight, mean=0.0, std=0.02)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)

    def forward(self, text_ids=None, image_feat=None, audio_feat=None):
        x = self.encoder(text_ids, image_feat, audio_feat)  # [B, T, C]
        T = x.size(1)
        if T > self.max_seq_len:
            raise ValueError(f"{T} tokens do not fit into max_seq_len ({self.max_seq_len})")
        pos = torch.arange(T, device=x.device)  # [T]
        x = self.drop(x + self.wpe(pos))  # [B, T, C]
        for block in self.blocks:
            x = block(x)  # [B, T, C]
        return self.lm_head(self.ln_f(x))  # [B, T, V]

    @torch.no_grad()
    def generate(
        self, text_ids, max_new_tokens=20, temperature=1.0, image_feat=None, audio_feat=None
    ):
        """Continue text_ids [B, T] by max_new_tokens tokens."""
        for _ in range(max_new_tokens):
            context = text_ids[:, -self.max_seq_len :]  # no more than the model can see
            logits = self(context, image_feat, audio_feat)  # [B, T, V]
            next_token = torch.argmax(logits[:, -1, :] / temperature, dim=-1, keepdim=True)
            text_ids = torch.cat([text_ids, next_token], dim=1)  # [B, T + 1]
        return text_ids
