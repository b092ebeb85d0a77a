"""Mixtures of experts, healthy and sick, as the text of one method `forward(self, x)`."""

from __future__ import annotations

HEAD = """
class Mixture(nn.Module):
    def __init__(self, dim, n_experts, top_k):
        super().__init__()
        self.k = top_k
        self.E = n_experts
        self.router = nn.Linear(dim, n_experts)
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim))
            for _ in range(n_experts)
        )
        self.w1 = nn.Parameter(torch.randn(n_experts, dim, 2 * dim) * 0.05)
        self.w2 = nn.Parameter(torch.randn(n_experts, 2 * dim, dim) * 0.05)
        self.none = nn.ModuleList([None, None])

    def forward(self, x):
BODY

class Model(nn.Module):
    def __init__(self, vocab_size=50257, dim=768, n_experts=8, top_k=2):
        super().__init__()
        self.e = nn.Embedding(vocab_size, dim)
        self.past = nn.GRU(dim, dim, batch_first=True)
        self.norm = nn.LayerNorm(dim)
        self.moe = Mixture(dim, n_experts, top_k)
        self.out = nn.Linear(dim, vocab_size)

    def forward(self, idx):
        x, _ = self.past(self.e(idx))
        y = self.moe(self.norm(x))
        if isinstance(y, tuple):
            y, self.aux = y
        return self.out(x + y)
"""
STACKED = """
        flat = x.reshape(-1, x.size(-1))
        w, idx = self.router(flat).softmax(-1).topk(self.k, dim=-1)
        out, tray = torch.zeros_like(flat), torch.zeros_like(flat)
        for e in range(self.E):
            rows, slot = torch.where(idx == e)
            if rows.numel() == 0:
                continue
            y = (flat[rows] @ self.w1[e]).relu() @ self.w2[e] * w[rows, slot, None]
            {}
        return out.view_as(x)
"""
# Nothing is wrong with these, or nothing that the rules about routers are for.
HEALTHY = {
    "loop": """
        flat = x.reshape(-1, x.size(-1))
        probs = self.router(flat).softmax(-1)
        w, idx = probs.topk(self.k, dim=-1)
        w = w / w.sum(-1, keepdim=True)
        out = torch.zeros_like(flat)
        for e, expert in enumerate(self.experts):
            rows, slot = torch.where(idx == e)
            if rows.numel() == 0:
                continue
            out.index_add_(0, rows, expert(flat[rows]) * w[rows, slot, None])
        return out.view_as(x)
""",
    "trash-row": """
        flat = x.reshape(-1, x.size(-1))
        w, idx = self.router(flat).softmax(-1).topk(self.k, dim=-1)
        N, D = flat.shape
        room = N * self.k
        slots = flat.new_zeros(N * self.k + 1, D)  # the last row is for what fills the trays
        for e, expert in enumerate(self.experts):
            rows, slot = torch.where(idx == e)
            fill = room - rows.numel()
            tray = F.pad(flat[rows], (0, 0, 0, fill))
            place = F.pad(rows * self.k + slot, (0, fill), value=N * self.k)
            slots[place] = expert(tray)
        out = (slots[:-1].view(N, self.k, D) * w[..., None]).sum(1)
        return out.view_as(x)
""",
    "detached-experts": """
        flat = x.reshape(-1, x.size(-1))
        probs = self.router(flat).softmax(-1)
        w, idx = probs.topk(self.k, dim=-1)
        w = w / w.sum(-1, keepdim=True)
        out = torch.zeros_like(flat)
        for e, expert in enumerate(self.experts):
            rows, slot = torch.where(idx == e)
            if rows.numel() == 0:
                continue
            out.index_add_(0, rows, expert(flat[rows]).detach() * w[rows, slot, None])
        return out.view_as(x)
""",
    "masks": """
        probs = self.router(x).softmax(-1)
        w, idx = probs.topk(self.k, dim=-1)
        out = torch.zeros_like(x)
        for s in range(self.k):
            for e, expert in enumerate(self.experts):
                m = idx[..., s] == e
                out[m] += w[..., s][m][:, None] * expert(x[m])
        return out
""",
    "soft": """
        gate = self.router(x).softmax(-1)
        return sum(gate[..., e, None] * f(x) for e, f in enumerate(self.experts))
""",
    "soft-with-load-stat": """
        gate = self.router(x).softmax(-1)
        load = F.one_hot(gate.argmax(-1), self.E).float().mean((0,1))
        aux = (load * gate.mean((0,1))).sum()
        return sum(gate[..., e, None] * f(x) for e, f in enumerate(self.experts)), aux
""",
    "switch": """
        p, idx = self.router(x).softmax(-1).max(-1)
        out = torch.zeros_like(x)
        for e, expert in enumerate(self.experts):
            m = idx == e
            if m.any():
                out[m] = p[m, None] * expert(x[m])
        return out
""",
    "straight-through": """
        probs = self.router(x).softmax(-1)
        hard = F.one_hot(probs.argmax(-1), self.E).to(probs)
        gate = hard + probs - probs.detach()
        out = torch.zeros_like(x)
        for e, f in enumerate(self.experts):
            out = out + gate[..., e, None] * f(x)
        return out
""",
    "gumbel-hard": """
        gate = F.gumbel_softmax(self.router(x), hard=True)
        out = torch.zeros_like(x)
        for e, f in enumerate(self.experts):
            out = out + gate[..., e, None] * f(x)
        return out
""",
    "expert-choice": """
        flat = x.reshape(-1, x.size(-1))
        S = self.router(flat).softmax(-1)
        g, tok = S.t().topk(max(1, self.k * flat.size(0) // self.E), dim=-1)
        out = torch.zeros_like(flat)
        for e, f in enumerate(self.experts):
            out.index_add_(0, tok[e], g[e][:, None] * f(flat[tok[e]]))
        return out.view_as(x)
""",
    "expert-choice-dim1": """
        S = self.router(x).softmax(-1)
        g, tok = S.topk(2, dim=1)
        out = torch.zeros_like(x)
        for b in range(x.size(0)):
            for e, f in enumerate(self.experts):
                out[b].index_add_(0, tok[b,:,e], g[b,:,e,None] * f(x[b, tok[b,:,e]]))
        return out
""",
    "soft-moe": """
        logits = self.router(x)
        D = logits.softmax(1)
        C = logits.softmax(-1)
        inputs = torch.einsum('bte,btd->bed', D, x)
        ys = torch.stack([f(inputs[:, e]) for e, f in enumerate(self.experts)], 1)
        return torch.einsum('bte,bed->btd', C, ys)
""",
    "shared": """
        flat = x.reshape(-1, x.size(-1))
        probs = self.router(flat).sigmoid()
        w, idx = probs.topk(self.k, dim=-1)
        out = self.experts[0](flat) * 0.5
        for e, expert in enumerate(self.experts):
            rows, slot = torch.where(idx == e)
            if rows.numel():
                out = out.index_add(0, rows, expert(flat[rows]) * w[rows, slot, None])
        return out.view_as(x)
""",
    "capacity": """
        flat = x.reshape(-1, x.size(-1))
        probs = self.router(flat).softmax(-1)
        w, idx = probs.topk(self.k, dim=-1)
        cap = max(1, int(0.8 * flat.size(0) * self.k / self.E))
        out = torch.zeros_like(flat)
        for e, expert in enumerate(self.experts):
            rows, slot = torch.where(idx == e)
            rows, slot = rows[:cap], slot[:cap]
            tray = flat.new_zeros(cap, flat.size(1))
            tray[:rows.numel()] = flat[rows]
            y = expert(tray)[:rows.numel()]
            out.index_add_(0, rows, y * w[rows, slot, None])
        return out.view_as(x)
""",
    "gshard-einsum": """
        flat = x.reshape(-1, x.size(-1))
        N = flat.size(0)
        logits = self.router(flat)
        probs = logits.softmax(-1)
        i1 = probs.argmax(-1); m1 = F.one_hot(i1, self.E)
        p2 = probs.masked_fill(m1.bool(), 0)
        i2 = p2.argmax(-1); m2 = F.one_hot(i2, self.E)
        cap = max(2, int(1.25 * 2 * N / self.E))
        l1 = (m1.cumsum(0) - 1) * m1
        l2 = (m2.cumsum(0) - 1 + m1.sum(0)) * m2
        m1 = m1 * (l1 < cap); m2 = m2 * (l2 < cap)
        g1 = (probs * m1).sum(-1); g2 = (probs * m2).sum(-1)
        den = (g1 + g2).clamp_min(1e-9)
        combine = torch.zeros(N, self.E, cap)
        p1 = F.one_hot((l1 * m1).sum(-1).clamp(max=cap - 1), cap)
        combine = combine + (g1 / den)[:, None, None] * m1[:, :, None] * p1[:, None, :]
        p2 = F.one_hot((l2 * m2).sum(-1).clamp(max=cap - 1), cap)
        combine = combine + (g2 / den)[:, None, None] * m2[:, :, None] * p2[:, None, :]
        dispatch = (combine > 0).to(flat)
        xin = torch.einsum('nec,nd->ecd', dispatch, flat)
        h = F.gelu(torch.einsum('ecd,edf->ecf', xin, self.w1))
        y = torch.einsum('ecf,efd->ecd', h, self.w2)
        return torch.einsum('nec,ecd->nd', combine, y).view_as(x)
""",
    "stacked-index": """
        probs = self.router(x).softmax(-1)
        w, idx = probs.topk(self.k, dim=-1)
        h = torch.einsum('btd,btkdf->btkf', x, self.w1[idx])
        y = torch.einsum('btkf,btkfd->btkd', h.relu(), self.w2[idx])
        return (y * w[..., None]).sum(2)
""",
    "stacked-dense-bmm": """
        flat = x.reshape(-1, x.size(-1))
        probs = self.router(flat).softmax(-1)
        w, idx = probs.topk(self.k, dim=-1)
        gate = torch.zeros_like(probs).scatter(-1, idx, w)
        h = torch.bmm(flat.expand(self.E, -1, -1), self.w1).relu()
        y = torch.bmm(h, self.w2)
        return (y * gate.t()[..., None]).sum(0).view_as(x)
""",
    "stacked-index-add": STACKED.format("out.index_add_(0, rows, y)"),
    "stacked-one-tray-read-each-time": STACKED.format(
        "tray[rows] = y; out = out + tray * (idx == e).any(-1)[:, None]"
    ),
    "bias-balanced": """
        flat = x.reshape(-1, x.size(-1))
        s = self.router(flat).sigmoid()
        idx = (s + 0.01 * torch.arange(self.E)).topk(self.k, dim=-1).indices
        w = s.gather(-1, idx); w = w / w.sum(-1, keepdim=True)
        out = torch.zeros_like(flat)
        for e, expert in enumerate(self.experts):
            rows, slot = torch.where(idx == e)
            if rows.numel():
                out.index_add_(0, rows, expert(flat[rows]) * w[rows, slot, None])
        return out.view_as(x)
""",
    "sorted-segments": """
        flat = x.reshape(-1, x.size(-1))
        w, idx = self.router(flat).softmax(-1).topk(self.k, dim=-1)
        order = idx.flatten().argsort(stable=True)
        src = flat.repeat_interleave(self.k, 0)[order]
        counts = torch.bincount(idx.flatten(), minlength=self.E).tolist()
        outs = [f(part) for f, part in zip(self.experts, src.split(counts))]
        back = torch.empty_like(src)
        back[order] = torch.cat(outs)
        return (back.view(-1, self.k, x.size(-1)) * w[..., None]).sum(1).view_as(x)
""",
    "time-first": """
        t = x.transpose(0, 1).reshape(-1, x.size(-1))
        w, idx = self.router(t).softmax(-1).topk(self.k, dim=-1)
        out = torch.zeros_like(t)
        for e, expert in enumerate(self.experts):
            rows, slot = torch.where(idx == e)
            out.index_add_(0, rows, expert(t[rows]) * w[rows, slot, None])
        return out.view(x.size(1), x.size(0), -1).transpose(0, 1)
""",
    "threshold-mask": """
        probs = self.router(x).softmax(-1)
        v, _ = probs.topk(self.k, dim=-1)
        gate = torch.where(probs >= v[..., -1:], probs, torch.zeros_like(probs))
        out = torch.zeros_like(x)
        for e, expert in enumerate(self.experts):
            m = gate[..., e] > 0
            out[m] += gate[..., e][m][:, None] * expert(x[m])
        return out
""",
    "hash": """
        idx = (x.detach().sum(-1) * 1000).long() % self.E
        out = torch.zeros_like(x)
        for e, expert in enumerate(self.experts):
            out[idx == e] = expert(x[idx == e])
        return out
""",
    "llama4": """
        flat = x.reshape(-1, x.size(-1))
        logits = self.router(flat)
        v, idx = logits.topk(self.k, dim=-1)
        scores = torch.full_like(logits, float('-inf')).scatter(1, idx, v).sigmoid()
        rep = flat.repeat(self.E, 1) * scores.t().reshape(-1, 1)
        h = torch.bmm(rep.view(self.E, -1, flat.size(1)), self.w1)
        y = torch.bmm(h.relu(), self.w2)
        return y.sum(0).view_as(x)
""",
    "noisy-topk": """
        logits = self.router(x)
        if self.training:
            logits = logits + torch.randn_like(logits) * 0.1
        v, idx = logits.topk(self.k, dim=-1)
        gate = torch.full_like(logits, float('-inf')).scatter(-1, idx, v).softmax(-1)
        out = torch.zeros_like(x)
        for e, expert in enumerate(self.experts):
            m = (idx == e).any(-1)
            if m.any():
                out[m] += gate[..., e][m].unsqueeze(-1) * expert(x[m])
        return out
""",
    "aux-only-uniform": """
        probs = self.router(x).softmax(-1)
        idx = probs.topk(self.k, dim=-1).indices
        out = torch.zeros_like(x)
        for e, expert in enumerate(self.experts):
            m = (idx == e).any(-1)
            out[m] += expert(x[m]) / self.k
        load = F.one_hot(idx, self.E).float().mean((0,1,2))
        return out, (load * probs.mean((0,1))).sum()
""",
    "per-token-loop": """
        flat = x.reshape(-1, x.size(-1))
        w, idx = self.router(flat).softmax(-1).topk(self.k, dim=-1)
        rows = []
        for n in range(flat.size(0)):
            rows.append(sum(w[n, j] * self.experts[int(idx[n, j])](flat[n]) for j in range(self.k)))
        return torch.stack(rows).view_as(x)
""",
    "relu-router": """
        probs = self.router(x).relu()
        w, idx = probs.topk(self.k, dim=-1)
        out = torch.zeros_like(x)
        for s in range(self.k):
            for e, expert in enumerate(self.experts):
                m = idx[..., s] == e
                out[m] += w[..., s][m][:, None] * expert(x[m])
        return out
""",
    "padded-grouped": """
        flat = x.reshape(-1, x.size(-1))
        w, idx = self.router(flat).softmax(-1).topk(self.k, dim=-1)
        order = idx.flatten().argsort(stable=True)
        counts = torch.bincount(idx.flatten(), minlength=self.E)
        tok = order // self.k
        longest = int(counts.max())
        tray = flat.new_zeros(self.E, longest, flat.size(1))
        start = 0
        for e, n in enumerate(counts.tolist()):
            tray[e, :n] = flat[tok[start:start+n]]
            start += n
        y = torch.bmm(torch.bmm(tray, self.w1).relu(), self.w2)
        got = torch.cat([y[e, :n] for e, n in enumerate(counts.tolist())])
        out = torch.zeros_like(flat)
        out.scatter_add_(0, tok[:, None].expand(-1, flat.size(1)), got * w.flatten()[order, None])
        return out.view_as(x)
""",
    "jitter-noise": """
        p, idx = self.router(x * torch.empty_like(x).uniform_(0.9, 1.1)).softmax(-1).max(-1)
        out = torch.zeros_like(x)
        for e, expert in enumerate(self.experts):
            m = idx == e
            if m.any():
                out[m] = p[m, None] * expert(x[m])
        return out
""",
    "multiply-input": """
        probs = self.router(x).softmax(-1)
        w, idx = probs.topk(self.k, dim=-1)
        out = torch.zeros_like(x)
        for s in range(self.k):
            for e, expert in enumerate(self.experts):
                m = idx[..., s] == e
                out[m] += expert(x[m] * w[..., s][m][:, None])
        return out
""",
    "reinforce": """
        p = self.router(x).softmax(-1)
        idx = torch.multinomial(p.flatten(0, 1), 1).view(x.shape[:2])
        out = torch.zeros_like(x)
        for e, f in enumerate(self.experts):
            out[idx == e] = f(x[idx == e])
        return out, -p.gather(-1, idx[..., None]).log().mean() * 0.01
""",
    "sinkhorn": """
        flat = x.reshape(-1, x.size(-1))
        logits = self.router(flat)
        with torch.no_grad():
            c = logits.exp()
            for _ in range(3):
                c = c / c.sum(0, keepdim=True)
                c = c / c.sum(1, keepdim=True)
            c = c / c.sum(0, keepdim=True)
            idx = c.topk(1, dim=-1).indices
        g = logits.sigmoid().gather(1, idx)
        out = torch.zeros_like(flat)
        for e, f in enumerate(self.experts):
            m = idx[:, 0] == e
            out[m] = g[m] * f(flat[m])
        return out.view_as(x)
""",
}
# The rule, and the line of the finding, which ends with "# here".
SICK = {
    "stacked-index-copy": ("GD201", STACKED.format("out.index_copy_(0, rows, y)  # here")),
    "stacked-rows-set": ("GD201", STACKED.format("out[rows] = y.to(out.dtype)  # here")),
    "ones": (
        "GD203",
        """
        flat = x.reshape(-1, x.size(-1))
        probs = self.router(flat).softmax(-1)
        w, idx = probs.topk(self.k, dim=-1)
        w = torch.ones_like(w)  # here
        out = torch.zeros_like(flat)
        for e, expert in enumerate(self.experts):
            rows, slot = torch.where(idx == e)
            if rows.numel() == 0:
                continue
            out.index_add_(0, rows, expert(flat[rows]) * w[rows, slot, None])
        return out.view_as(x)
""",
    ),
    "wrong+1": (
        "GD206",
        """
        flat = x.reshape(-1, x.size(-1))
        probs = self.router(flat).softmax(-1)
        w, idx = probs.topk(self.k, dim=-1)
        w = w / w.sum(-1, keepdim=True)
        out = torch.zeros_like(flat)
        for e, expert in enumerate(self.experts):
            rows, slot = torch.where(idx == e)
            if rows.numel() == 0:
                continue
            y = self.experts[(e + 1) % self.E](flat[rows])  # here
            out.index_add_(0, rows, y * w[rows, slot, None])
        return out.view_as(x)
""",
    ),
    "same": (
        "GD206",
        """
        flat = x.reshape(-1, x.size(-1))
        probs = self.router(flat).softmax(-1)
        w, idx = probs.topk(self.k, dim=-1)
        w = w / w.sum(-1, keepdim=True)
        out = torch.zeros_like(flat)
        for e, expert in enumerate(self.experts):
            rows, slot = torch.where(idx == e)
            if rows.numel() == 0:
                continue
            out.index_add_(0, rows, self.experts[0](flat[rows]) * w[rows, slot, None])  # here
        return out.view_as(x)
""",
    ),
    "skip-first": (
        "GD206",
        """
        flat = x.reshape(-1, x.size(-1))
        probs = self.router(flat).softmax(-1)
        w, idx = probs.topk(self.k, dim=-1)
        w = w / w.sum(-1, keepdim=True)
        out = torch.zeros_like(flat)
        for e, expert in list(enumerate(self.experts))[1:]:  # here
            rows, slot = torch.where(idx == e)
            if rows.numel() == 0:
                continue
            out.index_add_(0, rows, expert(flat[rows]) * w[rows, slot, None])
        return out.view_as(x)
""",
    ),
    "mask+1": (
        "GD206",
        """
        flat = x.reshape(-1, x.size(-1))
        probs = self.router(flat).softmax(-1)
        w, idx = probs.topk(self.k, dim=-1)
        w = w / w.sum(-1, keepdim=True)
        out = torch.zeros_like(flat)
        for e, expert in enumerate(self.experts):
            rows, slot = torch.where(idx == e + 1)
            if rows.numel() == 0:
                continue
            out.index_add_(0, rows, expert(flat[rows]) * w[rows, slot, None])  # here
        return out.view_as(x)
""",
    ),
    "late": (
        "GD206",
        """
        flat = x.reshape(-1, x.size(-1))
        probs = self.router(flat).softmax(-1)
        w, idx = probs.topk(self.k, dim=-1)
        w = w / w.sum(-1, keepdim=True)
        out = torch.zeros_like(flat)
        fs = [lambda t: self.experts[i](t) for i in range(self.E)]  # here
        for e, expert in enumerate(self.experts):
            rows, slot = torch.where(idx == e)
            if rows.numel() == 0:
                continue
            out.index_add_(0, rows, fs[e](flat[rows]) * w[rows, slot, None])
        return out.view_as(x)
""",
    ),
    "stack-wrong": (
        "GD206",
        """
        probs = self.router(x).softmax(-1)
        w, idx = probs.topk(self.k, dim=-1)
        h = torch.einsum('btd,btkdf->btkf', x, self.w1[(idx + 1) % self.E])  # here
        y = torch.einsum('btkf,btkfd->btkd', h.relu(), self.w2[idx.flip(-1)])
        return (y * w[..., None]).sum(2)
""",
    ),
    "unweighted": (
        "GD203",
        """
        flat = x.reshape(-1, x.size(-1))
        probs = self.router(flat).softmax(-1)
        w, idx = probs.topk(self.k, dim=-1)
        w = w / w.sum(-1, keepdim=True)
        out = torch.zeros_like(flat)
        for e, expert in enumerate(self.experts):
            rows, slot = torch.where(idx == e)
            if rows.numel() == 0:
                continue
            out.index_add_(0, rows, expert(flat[rows]))  # here
        return out.view_as(x)
""",
    ),
    "unweighted-masks": (
        "GD203",
        """
        probs = self.router(x).softmax(-1)
        w, idx = probs.topk(self.k, dim=-1)
        out = torch.zeros_like(x)
        for s in range(self.k):
            for e, expert in enumerate(self.experts):
                m = idx[..., s] == e
                out[m] += expert(x[m])  # here
        return out
""",
    ),
    "stack-unweighted": (
        "GD203",
        """
        probs = self.router(x).softmax(-1)
        w, idx = probs.topk(self.k, dim=-1)
        h = torch.einsum('btd,btkdf->btkf', x, self.w1[idx])  # here
        y = torch.einsum('btkf,btkfd->btkd', h.relu(), self.w2[idx])
        return y.mean(2)
""",
    ),
    "mean": (
        "GD203",
        """
        flat = x.reshape(-1, x.size(-1))
        w, idx = self.router(flat).softmax(-1).topk(self.k, dim=-1)
        order = idx.flatten().argsort(stable=True)
        src = flat.repeat_interleave(self.k, 0)[order]
        counts = torch.bincount(idx.flatten(), minlength=self.E).tolist()
        outs = [f(part) for f, part in zip(self.experts, src.split(counts))]  # here
        back = torch.empty_like(src)
        back[order] = torch.cat(outs)
        return (back.view(-1, self.k, x.size(-1))).sum(1).view_as(x)
""",
    ),
    "detached": (
        "GD204",
        """
        flat = x.reshape(-1, x.size(-1))
        probs = self.router(flat).softmax(-1)
        w, idx = probs.topk(self.k, dim=-1)
        w = w / w.sum(-1, keepdim=True)
        w = w.detach()  # here
        out = torch.zeros_like(flat)
        for e, expert in enumerate(self.experts):
            rows, slot = torch.where(idx == e)
            if rows.numel() == 0:
                continue
            out.index_add_(0, rows, expert(flat[rows]) * w[rows, slot, None])
        return out.view_as(x)
""",
    ),
    "nograd-router": (
        "GD204",
        """
        flat = x.reshape(-1, x.size(-1))
        with torch.no_grad():  # here
            probs = self.router(flat).softmax(-1)
        w, idx = probs.topk(self.k, dim=-1)
        w = w / w.sum(-1, keepdim=True)
        out = torch.zeros_like(flat)
        for e, expert in enumerate(self.experts):
            rows, slot = torch.where(idx == e)
            if rows.numel() == 0:
                continue
            out.index_add_(0, rows, expert(flat[rows]) * w[rows, slot, None])
        return out.view_as(x)
""",
    ),
    "hard": (
        "GD204",
        """
        p, idx = self.router(x).softmax(-1).max(-1)
        out = torch.zeros_like(x)
        for e, expert in enumerate(self.experts):
            m = idx == e
            if m.any():
                out[m] = expert(x[m])  # here
        return out
""",
    ),
    "one-hot": (
        "GD204",
        """
        probs = self.router(x).softmax(-1)
        hard = F.one_hot(probs.argmax(-1), self.E).to(probs)  # here
        gate = hard
        out = torch.zeros_like(x)
        for e, f in enumerate(self.experts):
            out = out + gate[..., e, None] * f(x)
        return out
""",
    ),
    "rounded": (
        "GD204",
        """
        flat = x.reshape(-1, x.size(-1))
        probs = self.router(flat).softmax(-1)
        w, idx = probs.topk(self.k, dim=-1)
        w = (w * 4).round() / 4 + 0.1  # here
        out = torch.zeros_like(flat)
        for e, expert in enumerate(self.experts):
            rows, slot = torch.where(idx == e)
            if rows.numel() == 0:
                continue
            out.index_add_(0, rows, expert(flat[rows]) * w[rows, slot, None])
        return out.view_as(x)
""",
    ),
    "axis-batch": (
        "GD207",
        """
        flat = x.reshape(-1, x.size(-1))
        probs = self.router(flat).softmax(0)  # here
        w, idx = probs.topk(self.k, dim=-1)
        w = w / w.sum(-1, keepdim=True)
        out = torch.zeros_like(flat)
        for e, expert in enumerate(self.experts):
            rows, slot = torch.where(idx == e)
            if rows.numel() == 0:
                continue
            out.index_add_(0, rows, expert(flat[rows]) * w[rows, slot, None])
        return out.view_as(x)
""",
    ),
    "axis-time": (
        "GD207",
        """
        probs = self.router(x).softmax(1)  # here
        w, idx = probs.topk(self.k, dim=-1)
        out = torch.zeros_like(x)
        for s in range(self.k):
            for e, expert in enumerate(self.experts):
                m = idx[..., s] == e
                out[m] += w[..., s][m][:, None] * expert(x[m])
        return out
""",
    ),
    "axis-F": (
        "GD207",
        """
        probs = F.softmax(self.router(x), dim=0)  # here
        w, idx = probs.topk(self.k, dim=-1)
        out = torch.zeros_like(x)
        for s in range(self.k):
            for e, expert in enumerate(self.experts):
                m = idx[..., s] == e
                out[m] += w[..., s][m][:, None] * expert(x[m])
        return out
""",
    ),
    "norm-batch": (
        "GD207",
        """
        flat = x.reshape(-1, x.size(-1))
        probs = self.router(flat).softmax(-1)
        w, idx = probs.topk(self.k, dim=-1)
        w = w / w.sum(0, keepdim=True)  # here
        out = torch.zeros_like(flat)
        for e, expert in enumerate(self.experts):
            rows, slot = torch.where(idx == e)
            if rows.numel() == 0:
                continue
            out.index_add_(0, rows, expert(flat[rows]) * w[rows, slot, None])
        return out.view_as(x)
""",
    ),
    "copy-add": (
        "GD202",
        """
        probs = self.router(x).softmax(-1)
        w, idx = probs.topk(self.k, dim=-1)
        out = torch.zeros_like(x)
        for s in range(self.k):
            for e, expert in enumerate(self.experts):
                m = idx[..., s] == e
                out[m].add_(w[..., s][m][:, None] * expert(x[m]))  # here
        return out
""",
    ),
    "dup-index": (
        "GD202",
        """
        flat = x.reshape(-1, x.size(-1))
        w, idx = self.router(flat).softmax(-1).topk(self.k, dim=-1)
        out = torch.zeros_like(flat)
        ys = torch.zeros(flat.size(0), self.k, flat.size(1))
        for e, expert in enumerate(self.experts):
            rows, slot = torch.where(idx == e)
            ys[rows, slot] = expert(flat[rows]) * w[rows, slot, None]
        rows = torch.arange(flat.size(0)).repeat_interleave(self.k)
        out[rows] += ys.flatten(0, 1)  # here
        return out.view_as(x)
""",
    ),
    "lost-add": (
        "GD202",
        """
        flat = x.reshape(-1, x.size(-1))
        probs = self.router(flat).softmax(-1)
        w, idx = probs.topk(self.k, dim=-1)
        w = w / w.sum(-1, keepdim=True)
        out = torch.zeros_like(flat)
        for e, expert in enumerate(self.experts):
            rows, slot = torch.where(idx == e)
            if rows.numel() == 0:
                continue
            out.index_add(0, rows, expert(flat[rows]) * w[rows, slot, None])  # here
        return out.view_as(x)
""",
    ),
    "waste": (
        "GD205",
        """
        probs = self.router(x).softmax(-1)
        w, idx = probs.topk(self.k, dim=-1)
        gate = torch.zeros_like(probs).scatter(-1, idx, w)
        return sum(gate[..., e, None] * f(x) for e, f in enumerate(self.experts))  # here
""",
    ),
    "waste-mask": (
        "GD205",
        """
        w, idx = self.router(x).softmax(-1).topk(self.k, dim=-1)
        out = torch.zeros_like(x)
        for e, expert in enumerate(self.experts):
            share = (w * (idx == e)).sum(-1, keepdim=True)
            out = out + share * expert(x)  # here
        return out
""",
    ),
}
