"""Healthy models whose gradients look wrong to whoever looks too briefly."""

from __future__ import annotations

HEAD = """
import copy
from torch.utils.checkpoint import checkpoint

class Model(nn.Module):
    def __init__(self, vocab_size=50257, dim=768):
        super().__init__()
        self.e = nn.Embedding(vocab_size, dim)
        self.f = nn.Linear(dim, dim)
        self.out = nn.Linear(dim, vocab_size)
        INIT

    def forward(self, idx, targets=None):
        x = self.e(idx)
        WORK
        logits = self.out(x + self.f(x))
        if targets is None:
            return logits
        return logits, F.cross_entropy(logits.flatten(0, 1), targets.flatten()) + 0
"""
LOSS = "targets.flatten()) + 0"


def text(init: str, work: str, loss: str = "0") -> str:
    """The model with these statements in its constructor and its forward, `loss` added to its."""
    body = HEAD.replace("INIT", init.replace("\n", "\n        "))
    body = body.replace("WORK", work.replace("\n", "\n        "))
    return body.replace(LOSS, f"targets.flatten()) + {loss}")


# By name: statements of the constructor, statements of forward on x [B, T, C], and what the loss
# has besides.
TRAPS: dict[str, tuple[str, str] | tuple[str, str, str]] = {
    "trained-through-its-last-round": (
        "",
        "y = torch.zeros_like(x)\n"
        "for n in range(3):\n"
        "    with torch.set_grad_enabled(n == 2):\n"
        "        y = self.f(y + x)\n"
        "x = x + y",
    ),
    "scaled-gradient": (
        "def scale_grad(x, share):\n    return x * share + x.detach() * (1 - share)\n"
        "self.scale = scale_grad",
        "x = x + self.f(self.scale(x, 0.1))",
    ),
    "straight-through": ("", "y = self.f(x)\nx = y + (y.round() - y).detach()"),
    "straight-through-sign": ("", "y = self.f(x)\nx = x + (y.sign() - y).detach() + y"),
    "gumbel-hard": (
        "self.g = nn.Linear(dim, 4)\nself.w = nn.Parameter(torch.randn(4, dim))",
        "x = x + F.gumbel_softmax(self.g(x), hard=True) @ self.w",
    ),
    "gumbel-by-hand": (
        "self.g = nn.Linear(dim, 4)\nself.w = nn.Parameter(torch.randn(4, dim))",
        "soft = self.g(x).softmax(-1)\n"
        "hard = F.one_hot(soft.argmax(-1), 4).float()\n"
        "x = x + (hard - soft.detach() + soft) @ self.w",
    ),
    "vector-quantiser": (
        "self.codes = nn.Parameter(torch.randn(9, dim))",
        "near = torch.cdist(x.flatten(0, 1), self.codes).argmin(-1).view(idx.shape)\n"
        "q = self.codes[near]\n"
        "commit = F.mse_loss(x, q.detach()) + F.mse_loss(q, x.detach())\n"
        "x = x + (q - x).detach()",
        "commit",
    ),
    "vector-quantiser-by-average": (
        "self.codes = nn.Parameter(torch.randn(9, dim))",
        "near = torch.cdist(x.detach().flatten(0, 1), self.codes.detach()).argmin(-1)\n"
        "q = self.codes.detach()[near].view_as(x)\n"
        "hot = F.one_hot(near, 9).float()\n"
        "mean = hot.t() @ x.detach().flatten(0, 1) / (hot.sum(0)[:, None] + 1)\n"
        "self.codes.data.mul_(0.9).add_(mean, alpha=0.1)\n"
        "x = x + (q - x).detach()",
    ),
    "loss-that-is-returned-apart": (
        "self.p = nn.Linear(dim, dim)",
        "self.balance = F.mse_loss(self.p(x.detach()), x.detach())",
    ),
    "teacher": (
        "self.student = nn.Linear(dim, dim)\nself.teacher = copy.deepcopy(self.student)",
        "goal = self.teacher(x).detach()\nx = self.student(x)\nfar = F.mse_loss(x, goal)",
        "far",
    ),
    "teacher-of-another-name": (
        "self.a = nn.Linear(dim, dim)\nself.b = copy.deepcopy(self.a)",
        "goal = self.b(x).detach()\nx = self.a(x)\nfar = F.mse_loss(x, goal)",
        "far",
    ),
    "frozen-teacher": (
        "self.a = nn.Linear(dim, dim)\nself.b = nn.Linear(dim, dim).requires_grad_(False)",
        "goal = self.b(x).detach()\nx = self.a(x)\nfar = F.mse_loss(x, goal)",
        "far",
    ),
    "two-views-of-one-network": (
        "self.p, self.q = nn.Linear(dim, dim), nn.Linear(dim, dim)",
        "a, b = self.p(x), self.p(x + 0.1)\n"
        "far = F.mse_loss(self.q(a), b.detach()) + F.mse_loss(self.q(b), a.detach())",
        "far",
    ),
    "metric": ("", "self.size = x.norm().item()\nself.share = float((x > 0).float().mean())"),
    "probe-for-a-log": (
        "self.g = nn.Linear(dim, 1)",
        "self.seen = self.g(x.detach()).mean().item()",
    ),
    "reentrant-checkpoint": ("", "x = checkpoint(self.f, x, use_reentrant=True)"),
    "checkpoint": ("", "x = checkpoint(self.f, x, use_reentrant=False)"),
    "weight-norm": (
        "self.g = nn.utils.weight_norm(nn.Linear(dim, dim))\n"
        "self.h = nn.utils.parametrizations.weight_norm(nn.Linear(dim, dim))",
        "x = self.h(self.g(x))",
    ),
    "spectral-norm": (
        "self.g = nn.utils.spectral_norm(nn.Linear(dim, dim))\n"
        "self.h = nn.utils.parametrizations.spectral_norm(nn.Linear(dim, dim))",
        "x = self.h(self.g(x))",
    ),
    "low-rank-adapter": (
        "self.base = nn.Linear(dim, dim).requires_grad_(False)\n"
        "self.a, self.b = nn.Linear(dim, 2, bias=False), nn.Linear(2, dim, bias=False)\n"
        "nn.init.zeros_(self.b.weight)",
        "x = self.base(x) + self.b(self.a(x))",
    ),
    "frozen-embedding": ("self.e.weight.requires_grad = False", ""),
    "tied-head": ("self.out.weight = self.e.weight", ""),
    "two-heads-of-which-one-works": (
        "self.ahead = nn.ModuleList(nn.Linear(dim, vocab_size) for _ in range(2))",
        "later = [head(x) for head in self.ahead] if idx.size(1) > 10**6 else []",
    ),
    "idle-experts": (
        "self.r = nn.Linear(dim, 64)\n"
        "self.experts = nn.ModuleList(nn.Linear(dim, dim) for _ in range(64))",
        "p, which = self.r(x).softmax(-1).max(-1)\ny = torch.zeros_like(x)\n"
        "for n in which.unique().tolist():\n"
        "    y[which == n] = self.experts[n](x[which == n])\n"
        "x = x + p[..., None] * y",
    ),
    "balancing-bias": (
        "self.r = nn.Linear(dim, 8)\nself.r_bias = nn.Parameter(torch.zeros(8))\n"
        "self.experts = nn.ModuleList(nn.Linear(dim, dim) for _ in range(8))",
        "s = self.r(x).sigmoid()\nwhich = (s + self.r_bias).topk(2, -1).indices\n"
        "w = s.gather(-1, which)\n"
        "for k in range(2):\n"
        "    for n in range(8):\n"
        "        m = which[..., k] == n\n"
        "        x = x + (m * w[..., k])[..., None] * self.experts[n](x)",
    ),
    "key-bias": (
        "self.q, self.k, self.v = (nn.Linear(dim, dim) for _ in range(3))",
        "x = F.scaled_dot_product_attention(self.q(x), self.k(x), self.v(x), is_causal=True)",
    ),
    "gates-at-zero": (
        "self.gate = nn.Parameter(torch.zeros(1))\nself.g = nn.Linear(dim, dim)",
        "x = x + self.gate * self.g(x)",
    ),
    "kept-alive-by-zero": ("self.g = nn.Linear(dim, dim)", "x = x + 0.0 * self.g(x).sum()"),
    "soft-prompt": (
        "self.prompt = nn.Parameter(torch.randn(2, dim))",
        "x = torch.cat([self.prompt.expand(len(x), -1, -1), x], 1)[:, 2:] + self.prompt.mean(0)",
    ),
    "weights-made-by-weights": (
        "self.made = nn.Linear(4, dim)\nself.code = nn.Parameter(torch.randn(dim, 4))",
        "x = F.linear(x, self.made(self.code))",
    ),
    "list-of-what-is-registered": (
        "self.a, self.b = nn.Linear(dim, dim), nn.Linear(dim, dim)\n"
        "self.order = [self.b, self.a]\nself.table = {'a': self.a}",
        "for layer in self.order:\n    x = layer(x)",
    ),
    "layers-dropped-at-random": (
        "self.g = nn.Linear(dim, dim)",
        "x = self.g(x) if not self.training or torch.rand(()) < 0.5 else x",
    ),
    "memory-of-the-last-segment": (
        "self.m = nn.Linear(dim, dim)",
        "old = getattr(self, 'memory', None)\n"
        "y = x if old is None or old.shape != x.shape else x + self.m(old)\n"
        "self.memory = x.detach()\nx = y + self.m(x)",
    ),
    "largest-taken-off-first": ("", "x = x - x.amax(-1, keepdim=True).detach()"),
    "writes-that-nothing-needs": ("", "y = self.f(x)\ny += 1\ny[:, 0] = 0\nx = x + y"),
    "relu-in-place": ("self.act = nn.ReLU(inplace=True)", "x = self.act(self.f(x))"),
    "made-at-the-first-call": (
        "self.scale = None",
        "if self.scale is None:\n    self.scale = nn.Parameter(torch.ones(x.size(-1)))\n"
        "x = x * self.scale",
    ),
    "own-backward": (
        "class Double(torch.autograd.Function):\n"
        "    @staticmethod\n"
        "    def forward(ctx, a, w):\n"
        "        ctx.save_for_backward(a, w)\n"
        "        return a * w\n"
        "    @staticmethod\n"
        "    def backward(ctx, grad):\n"
        "        a, w = ctx.saved_tensors\n"
        "        return grad * w, (grad * a).sum((0, 1))\n"
        "self.double, self.w = Double, nn.Parameter(torch.ones(dim))",
        "x = self.double.apply(x, self.w)",
    ),
    "own-straight-through": (
        "class Rounded(torch.autograd.Function):\n"
        "    @staticmethod\n"
        "    def forward(ctx, a):\n"
        "        return a.round()\n"
        "    @staticmethod\n"
        "    def backward(ctx, grad):\n"
        "        return grad\n"
        "self.rounded, self.g = Rounded, nn.Linear(dim, dim)",
        "x = x + self.rounded.apply(self.g(x))",
    ),
    "part-that-other-code-reads": (
        "self.later = nn.Linear(dim, dim)",
        "x = self.later(x) if idx.size(1) > 10**6 else x",
    ),
    "hidden-on-purpose": (
        "other = nn.Linear(dim, dim)\nself.other = [other]",
        "x = x + self.other[0](x)",
    ),
    "fourier-features": (
        "self.register_buffer('waves', torch.randn(dim, dim))",
        "x = x + (x @ self.waves).cos()",
    ),
    "recurrent-cell": (
        "self.cell = nn.LSTM(dim, dim, batch_first=True)",
        "x = x + self.cell(x)[0]",
    ),
    "torch-layer": (
        "self.t = nn.TransformerEncoderLayer(dim, 2, batch_first=True, dropout=0.0)",
        "x = self.t(x)",
    ),
    "depth-decided-by-data": (
        "self.g = nn.Linear(dim, dim)",
        "for _ in range(int(x.detach().norm()) % 2 + 1):\n    x = x + self.g(x)",
    ),
    "scaled-by-a-frozen-size": ("", "x = x / x.detach().norm(dim=-1, keepdim=True)"),
}
