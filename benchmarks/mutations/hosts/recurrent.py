"""RetNet-flavoured language model: decayed linear attention as a recurrence over time."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class DecayMemory(nn.Module):
    """s_t = a_t * s_(t-1) + k_t v_t^T, y_t = q_t s_t, with a learned decay for each head."""

    def __init__(self, d_model, n_heads, eps=1e-6):
        super().__init__()
        self.n_heads = n_heads
        self.d_head = d_model // n_heads
        self.eps = eps
        self.to_q = nn.Linear(d_model, d_model, bias=False)
        self.to_k = nn.Linear(d_model, d_model, bias=False)
        self.to_v = nn.Linear(d_model, d_model, bias=False)
        self.to_gate = nn.Linear(d_model, d_model)
        self.to_out = nn.Linear(d_model, d_model, bias=False)
        self.decay = nn.Parameter(torch.linspace(1.0, 4.0, n_heads))

    def init_state(self, batch, device):
        return torch.zeros(batch, self.n_heads, self.d_head, self.d_head, device=device)

    def forward(self, x, state=None):
        B, T, D = x.shape
        q = F.elu(self.to_q(x)).add(1).view(B, T, self.n_heads, self.d_head)
        k = F.elu(self.to_k(x)).add(1).view(B, T, self.n_heads, self.d_head)
        v = self.to_v(x).view(B, T, self.n_heads, self.d_head)
        a = torch.sigmoid(self.decay).view(1, self.n_heads, 1, 1)

        if state is None:
            state = self.init_state(B, x.device)
        total = torch.zeros(B, self.n_heads, self.d_head, device=x.device)
        outputs = []
        for t in range(T):
            state = a * state + k[:, t].unsqueeze(-1) * v[:, t].unsqueeze(-2)
            total = a.squeeze(-1) * total + k[:, t]
            read = torch.einsum("bhk,bhkv->bhv", q[:, t], state)
            norm = (q[:, t] * total).sum(-1, keepdim=True)
            outputs.append(read / (norm + self.eps))
        y = torch.stack(outputs, dim=1).reshape(B, T, D)
        return self.to_out(y * F.silu(self.to_gate(x)))


class ChannelMix(nn.Module):
    def __init__(self, d_model):
        super().__init__()
        self.key = nn.Linear(d_model, 2 * d_model, bias=False)
        self.value = nn.Linear(2 * d_model, d_model, bias=False)
        self.mix = nn.Parameter(torch.full((d_model,), 0.5))

    def forward(self, x):
        shifted = F.pad(x, (0, 0, 1, -1))  # the token before
        x = x * self.mix + shifted * (1 - self.mix)
        return self.value(F.relu(self.key(x)) ** 2)


class RetLM(nn.Module):
    def __init__(self, num_tokens=256, d_model=256, n_heads=4, depth=4, label_smoothing=0.0):
        super().__init__()
        self.num_tokens = num_tokens
        self.label_smoothing = label_smoothing
        self.embed = nn.Embedding(num_tokens, d_model)
        self.norms1 = nn.ModuleList([nn.LayerNorm(d_model) for _ in range(depth)])
        self.memories = nn.ModuleList([DecayMemory(d_model, n_heads) for _ in range(depth)])
        self.norms2 = nn.ModuleList([nn.LayerNorm(d_model) for _ in range(depth)])
        self.mixes = nn.ModuleList([ChannelMix(d_model) for _ in range(depth)])
        self.norm_f = nn.LayerNorm(d_model)
        self.to_logits = nn.Linear(d_model, num_tokens, bias=False)
        nn.init.normal_(self.embed.weight, std=1e-2)

    def forward(self, tokens, targets=None):
        x = self.embed(tokens)
        for norm1, memory, norm2, mix in zip(self.norms1, self.memories, self.norms2, self.mixes):
            x = x + memory(norm1(x))
            x = x + mix(norm2(x))
        logits = self.to_logits(self.norm_f(x))
        if targets is None:
            return logits
        loss = F.cross_entropy(
            logits.reshape(-1, self.num_tokens), targets.reshape(-1), label_smoothing=self.label_smoothing
        )
        return loss, logits

    @torch.no_grad()
    def sample(self, tokens, n, temperature=1.0, eos=None):
        training = self.training
        self.eval()
        for _ in range(n):
            logits = self(tokens)[:, -1]
            probs = F.softmax(logits / max(temperature, 1e-4), dim=-1)
            token = torch.multinomial(probs, 1)
            tokens = torch.cat((tokens, token), dim=1)
            if eos is not None and bool((token == eos).all()):
                break
        self.train(training)
        return tokens
