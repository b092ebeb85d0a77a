# Selective linear-attention language model ("gated delta-less"), written for a Lightning-like trainer:
# the trainer calls training_step(batch, i) and validation_step(batch, i) and asks for the optimizer.
#
# shapes in comments:  b batch, l length, d width, h heads, n state, p head width, v vocabulary
import torch
import torch.nn as nn
import torch.nn.functional as F


def split(t, h):
    """b l (h p) -> b h l p"""
    return t.unflatten(-1, (h, -1)).movedim(-2, 1)


def join(t):
    """b h l p -> b l (h p)"""
    return t.movedim(1, -2).flatten(-2)


class CausalConv(nn.Module):
    """Depthwise, over the last k tokens."""

    def __init__(self, d, k=4):
        super().__init__()
        self.k = k
        self.conv = nn.Conv1d(d, d, k, groups=d)

    def forward(self, x):
        x = F.pad(x.mT, (self.k - 1, 0))
        return self.conv(x).mT


class SelectiveMixer(nn.Module):
    """y_i = sum over j <= i of (q_i . k_j) exp(a_j+1 + ... + a_i) v_j, where a depends on the input."""

    def __init__(self, d, h, n):
        super().__init__()
        self.h = h
        self.conv = CausalConv(d)
        self.in_proj = nn.Linear(d, d, bias=False)
        self.gate_proj = nn.Linear(d, d, bias=False)
        self.bc_proj = nn.Linear(d, 2 * h * n, bias=False)
        self.dt_proj = nn.Linear(d, h)
        self.skip = nn.Parameter(torch.ones(h))
        self.log_rate = nn.Parameter(torch.linspace(-2.0, 1.0, h))
        self.group_norm = nn.LayerNorm(d)
        self.out_proj = nn.Linear(d, d, bias=False)

    def forward(self, u):
        z = F.silu(self.gate_proj(u))
        x = F.silu(self.conv(self.in_proj(u)))
        q, k = self.bc_proj(x).chunk(2, dim=-1)
        q, k, v = split(q, self.h), split(k, self.h), split(x, self.h)
        dt = F.softplus(self.dt_proj(x)).mT                       # b h l
        a = -torch.exp(self.log_rate)[None, :, None] * dt         # b h l, negative
        total = a.cumsum(dim=-1)
        span = total[..., :, None] - total[..., None, :]          # b h l l: from j to i
        visible = torch.ones(u.shape[1], u.shape[1], dtype=torch.bool, device=u.device).tril()
        decay = torch.exp(span.masked_fill(~visible, -torch.inf))
        y = (q @ k.mT / k.shape[-1] ** 0.5 * decay) @ (v * dt[..., None])
        y = y + self.skip[:, None, None] * v
        return self.out_proj(self.group_norm(join(y)) * z)


class MLP(nn.Module):
    def __init__(self, d, factor, dropout):
        super().__init__()
        self.fc1 = nn.Linear(d, factor * d)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(factor * d, d)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        return self.dropout(self.fc2(self.act(self.fc1(x))))


class Block(nn.Module):
    def __init__(self, d, h, n, factor, dropout):
        super().__init__()
        self.norm_1 = nn.LayerNorm(d)
        self.mixer = SelectiveMixer(d, h, n)
        self.norm_2 = nn.LayerNorm(d)
        self.mlp = MLP(d, factor, dropout)

    def forward(self, x):
        x = x + self.mixer(self.norm_1(x))
        x = x + self.mlp(self.norm_2(x))
        return x


class SelectiveLM(nn.Module):
    def __init__(self, vocab=256, d=256, depth=6, h=8, n=16, factor=2, dropout=0.0, lr=3e-4):
        super().__init__()
        self.lr = lr
        self.vocab = vocab
        self.embed = nn.Embedding(vocab, d)
        self.blocks = nn.Sequential(*[Block(d, h, n, factor, dropout) for _ in range(depth)])
        self.norm_f = nn.LayerNorm(d)
        self.lm_head = nn.Linear(d, vocab, bias=False)
        self.apply(self.init_weights)

    def init_weights(self, module):
        if isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=0.02)
        elif isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)

    def forward(self, ids):
        if ids.size(1) == 0:
            raise ValueError("ids: b l, with l at least 1")
        x = self.embed(ids)
        x = self.blocks(x)
        x = self.norm_f(x)
        logits = self.lm_head(x)
        return logits

    def shared_step(self, batch):
        tokens, targets = batch
        logits = self(tokens)
        loss = F.cross_entropy(logits.view(-1, self.vocab), targets.view(-1), ignore_index=-1)
        return loss

    def training_step(self, batch, batch_idx=0):
        return self.shared_step(batch)

    @torch.no_grad()
    def validation_step(self, batch, batch_idx=0):
        return self.shared_step(batch)

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=self.lr, betas=(0.9, 0.95))

    def sample(self, ids, steps, temperature=1.0, top_k=0):
        was_training = self.training
        self.eval()
        with torch.no_grad():
            for _ in range(steps):
                logits = self(ids)[:, -1]
                if top_k > 0:
                    kept = logits.topk(top_k).values
                    logits = torch.where(logits < kept[:, -1:], -torch.inf, logits)
                probs = F.softmax(logits / max(temperature, 1e-5), dim=-1)
                new = torch.multinomial(probs, 1)
                ids = torch.cat([ids, new], dim=1)
        self.train(was_training)
        return ids
