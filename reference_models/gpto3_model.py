"""GPT-o3: a decoder that thinks again about the tokens of which it is unsure.

A plain causal transformer comes first. Then, up to `max_reasoning_steps` times:

- an entropy trigger says for each token how undecided the model is,
- a structured reasoner works on the token inside a low-rank subspace, with experts of its own
  choice,
- a halting unit says how much of the token's budget is left,

and the token's state moves by trigger x budget x thought. All of it is done token by token, so
that nothing flows from the future to the past.
"""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F


class CausalSelfAttention(nn.Module):
    """Multi-head attention with ALiBi: a penalty on the distance in place of positions."""

    def __init__(self, hidden_size, num_heads):
        super().__init__()
        if hidden_size % num_heads != 0:
            raise ValueError(
                f"hidden_size ({hidden_size}) must be divisible by num_heads ({num_heads})"
            )
        self.num_heads = num_heads
        self.qkv = nn.Linear(hidden_size, 3 * hidden_size, bias=False)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)
        slopes = 2.0 ** (-8.0 * torch.arange(1, num_heads + 1) / num_heads)  # [H]
        self.register_buffer("slopes", slopes, persistent=False)

    def bias(self, T):
        t = torch.arange(T, device=self.slopes.device)
        distance = t[:, None] - t[None, :]  # [T, T], how far key j lies behind query i
        bias = -self.slopes[:, None, None] * distance  # [H, T, T]
        return bias.masked_fill(distance < 0, float("-inf"))

    def forward(self, x):
        B, T, C = x.shape
        q, k, v = self.qkv(x).view(B, T, 3, self.num_heads, -1).unbind(dim=2)  # [B, T, H, D]
        q, k, v = q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)  # [B, H, T, D]
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=self.bias(T))  # [B, H, T, D]
        y = y.transpose(1, 2).reshape(B, T, C)  # [B, T, C]
        return self.out(y)


class SwiGLU(nn.Module):
    def __init__(self, hidden_size):
        super().__init__()
        inner = 2 * hidden_size
        self.w_gate = nn.Linear(hidden_size, inner, bias=False)
        self.w_up = nn.Linear(hidden_size, inner, bias=False)
        self.w_down = nn.Linear(inner, hidden_size, bias=False)

    def forward(self, x):
        return self.w_down(F.silu(self.w_gate(x)) * self.w_up(x))  # [B, T, C]


class DecoderLayer(nn.Module):
    def __init__(self, hidden_size, num_heads):
        super().__init__()
        self.norm_attn = nn.RMSNorm(hidden_size, eps=1e-6)
        self.attn = CausalSelfAttention(hidden_size, num_heads)
        self.norm_mlp = nn.RMSNorm(hidden_size, eps=1e-6)
        self.mlp = SwiGLU(hidden_size)

    def forward(self, x):
        x = x + self.attn(self.norm_attn(x))  # [B, T, C]
        x = x + self.mlp(self.norm_mlp(x))  # [B, T, C]
        return x


class ReasoningExpert(nn.Module):
    """One way of thinking: a small MLP that stays inside the subspace."""

    def __init__(self, rank):
        super().__init__()
        self.fc = nn.Linear(rank, 4 * rank)
        self.proj = nn.Linear(4 * rank, rank)

    def forward(self, z):
        return self.proj(F.gelu(self.fc(z)))  # [n, R]


class StructuredReasoner(nn.Module):
    """Sends each token to top_k of its experts; all vectors here are of the subspace [R]."""

    def __init__(self, rank, num_experts, top_k):
        super().__init__()
        if not 1 <= top_k <= num_experts:
            raise ValueError(f"top_k ({top_k}) must lie in 1..num_experts ({num_experts})")
        self.top_k = top_k
        self.router = nn.Linear(rank, num_experts)
        self.experts = nn.ModuleList([ReasoningExpert(rank) for _ in range(num_experts)])

    def forward(self, z):
        probs = self.router(z).softmax(dim=-1)  # [B, T, E]
        top_w, top_idx = probs.topk(self.top_k, dim=-1)  # [B, T, K] each

        z_new = torch.zeros_like(z)  # [B, T, R]
        for k in range(self.top_k):
            idx = top_idx[..., k]  # [B, T]
            for e_id, expert in enumerate(self.experts):
                mask = idx == e_id  # [B,T]
                if mask.any():
                    z_sel = z[mask].view(-1, z.size(-1))
                    z_upd = expert(z_sel)
                    z_new[mask] = z_upd
        return z_new  # [B, T, R]


class HaltingUnit(nn.Module):
    """The chance that a token stops here."""

    def __init__(self, rank):
        super().__init__()
        self.score = nn.Linear(rank, 1)

    def forward(self, z):
        return torch.sigmoid(self.score(z)).squeeze(-1)  # [B, T]


class GPTo3Model(nn.Module):
    def __init__(
        self,
        vocab_size=32000,
        hidden_size=768,
        num_heads=12,
        num_layers=12,
        rank=128,
        num_experts=4,
        top_k=2,
        max_reasoning_steps=2,
        trigger_size=64,
        trigger_bias=0.5,
        trigger_scale=4.0,
        max_context=2048,
        image_dim=1024,
    ):
        super().__init__()
        if trigger_size < 2:
            raise ValueError(f"trigger_size ({trigger_size}) must be at least 2")
        self.max_context = max_context
        self.max_reasoning_steps = max_reasoning_steps
        self.trigger_bias = trigger_bias  # of the highest possible entropy
        self.trigger_scale = trigger_scale

        self.embed = nn.Embedding(vocab_size, hidden_size)
        self.image_proj = nn.Linear(image_dim, hidden_size)
        self.layers = nn.ModuleList(
            [DecoderLayer(hidden_size, num_heads) for _ in range(num_layers)]
        )

        self.norm_reason = nn.RMSNorm(hidden_size, eps=1e-6)
        self.trigger_head = nn.Linear(hidden_size, trigger_size)
        self.vein_in = nn.Linear(hidden_size, rank, bias=False)
        self.reasoner = StructuredReasoner(rank, num_experts, top_k)
        self.halting = HaltingUnit(rank)
        self.vein_out = nn.Linear(rank, hidden_size, bias=False)

        self.norm_out = nn.RMSNorm(hidden_size, eps=1e-6)
        self.lm_head = nn.Linear(hidden_size, vocab_size, bias=False)
        self.apply(self._init_weights)
        nn.init.normal_(self.lm_head.weight, std=0.02)  # first loss about ln(vocab_size)

    def _init_weights(self, module):
        if isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=0.02)
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.5 * module.in_features**-0.5)
            if module.bias is not None:
                nn.init.zeros_(module.bias)

    @torch.no_grad()
    def _token_entropy(self, logits):
        p = logits.softmax(-1).clamp_min(1e-8)
        return -(p * p.log()).sum(-1)  # [B,T]

    def _trigger(self, h):
        """How much a token should be thought about, from 0 (decided) to 1 (undecided)."""
        logits = self.trigger_head(h)  # [B, T, K]
        entropy = self._token_entropy(logits) / math.log(logits.size(-1))  # [B, T], 0 to 1
        return torch.sigmoid(self.trigger_scale * (entropy - self.trigger_bias))  # [B, T]

    def _reason(self, x):
        budget = x.new_ones(x.shape[:2])  # [B, T], what each token may still spend
        for _ in range(self.max_reasoning_steps):
            h = self.norm_reason(x)  # [B, T, C]
            z = self.vein_in(h)  # [B, T, R]
            budget = budget * (1 - self.halting(z))  # [B, T]
            gate = self._trigger(h) * budget  # [B, T]
            x = x + gate.unsqueeze(-1) * self.vein_out(self.reasoner(z))  # [B, T, C]
        return x

    def forward(self, input_ids, image_feats=None):
        x = self.embed(input_ids)  # [B, T, C]
        if image_feats is not None:
            if image_feats.dim() == 3:
                image_feats = image_feats.mean(dim=1)  # [B, N, D] -> [B, D]
            x = x + self.image_proj(image_feats).unsqueeze(1)  # [B, T, C]
        for layer in self.layers:
            x = layer(x)  # [B, T, C]
        x = self._reason(x)  # [B, T, C]
        return self.lm_head(self.norm_out(x))  # [B, T, V]

    @torch.no_grad()
    def generate(self, input_ids, max_new_tokens=32, temperature=1.0, image_feats=None):
        """Continue input_ids [B, T]; a temperature of 0 takes the likeliest token."""
        for _ in range(max_new_tokens):
            window = input_ids[:, -self.max_context :]
            logits = self(window, image_feats)[:, -1, :]  # [B, V]
            if temperature > 0:
                probs = F.softmax(logits / temperature, dim=-1)
                next_id = torch.multinomial(probs, num_samples=1)  # [B, 1]
            else:
                next_id = logits.argmax(dim=-1, keepdim=True)  # [B, 1]
            input_ids = torch.cat([input_ids, next_id], dim=1)  # [B, T + 1]
        return input_ids
