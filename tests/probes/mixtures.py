"""Ways to mix experts, sick and healthy, as the text of one method."""

from __future__ import annotations

HEAD = """
class Model(nn.Module):
    def __init__(self, vocab_size=50257, dim=768, n_experts=8, top_k=2, n_layers=2):
        super().__init__()
        self.k = top_k
        self.e = nn.Embedding(vocab_size, dim)
        self.layers = nn.ModuleList(nn.Linear(dim, dim) for _ in range(n_layers))
        self.router = nn.Linear(dim, n_experts)
        self.experts = nn.ModuleList(nn.Linear(dim, dim) for _ in range(n_experts))
        self.out = nn.Linear(dim, vocab_size)

    def forward(self, idx):
        x = self.e(idx)
        for layer in self.layers:
            x = x + layer(x)
        weight, chosen = self.router(x).softmax(-1).topk(self.k, dim=-1)
        return self.out(x + self.mixed(x, weight, chosen))

    def mixed(self, x, weight, chosen):
"""
# Each writes over what an earlier choice wrote; the line that does so ends with "# here".
SICK = {
    "mask-in-a-loop-over-choices": (
        "setitem",
        """
        y = torch.zeros_like(x)
        for k in range(self.k):
            for n, expert in enumerate(self.experts):
                mask = chosen[..., k] == n
                if mask.any():
                    y[mask] = expert(x[mask]) * weight[..., k][mask][:, None]  # here
        return y
""",
    ),
    "rows-of-a-flat-view": (
        "setitem",
        """
        flat, y = x.flatten(0, 1), torch.zeros_like(x)
        for n, expert in enumerate(self.experts):
            row = (chosen.flatten(0, 1) == n).any(-1).nonzero().squeeze(-1)
            y.view(-1, x.size(-1))[row] = expert(flat[row])  # here
        return y
""",
    ),
    "index-copy": (
        "index_copy",
        """
        flat = x.flatten(0, 1)
        y = torch.zeros_like(flat)
        for n, expert in enumerate(self.experts):
            row = (chosen.flatten(0, 1) == n).any(-1).nonzero().squeeze(-1)
            y.index_copy_(0, row, expert(flat[row]))  # here
        return y.view_as(x)
""",
    ),
    "index-put-without-accumulate": (
        "index_put",
        """
        y = torch.zeros_like(x)
        for n, expert in enumerate(self.experts):
            mask = (chosen == n).any(-1)
            y = y.index_put((mask,), expert(x[mask]))  # here
        return y
""",
    ),
    "scatter": (
        "scatter",
        """
        flat = x.flatten(0, 1)
        y = torch.zeros_like(flat)
        for n, expert in enumerate(self.experts):
            row = (chosen.flatten(0, 1) == n).any(-1).nonzero().expand(-1, x.size(-1))
            y.scatter_(0, row, expert(flat.gather(0, row)))  # here
        return y.view_as(x)
""",
    ),
    "masked-scatter": (
        "masked_scatter",
        """
        y = torch.zeros_like(x)
        for n, expert in enumerate(self.experts):
            mask = (chosen == n).any(-1)
            y.masked_scatter_(mask[..., None], expert(x[mask]))  # here
        return y
""",
    ),
    "where": (
        "where",
        """
        y = torch.zeros_like(x)
        for n, expert in enumerate(self.experts):
            mask = (chosen == n).any(-1, keepdim=True)
            y = torch.where(mask, expert(x), y)  # here
        return y
""",
    ),
    "into-a-copy": (
        "setitem",
        """
        y = torch.zeros_like(x)
        for n, expert in enumerate(self.experts):
            mask = (chosen == n).any(-1)
            y = y.clone()
            y[mask] = expert(x[mask])  # here
        return y
""",
    ),
}
HEALTHY = {
    "accumulated": """
        y = torch.zeros_like(x)
        for k in range(self.k):
            for n, expert in enumerate(self.experts):
                mask = chosen[..., k] == n
                y[mask] += expert(x[mask]) * weight[..., k][mask][:, None]
        return y
""",
    "read-before-it-is-written": """
        y = torch.zeros_like(x)
        for n, expert in enumerate(self.experts):
            mask = (chosen == n).any(-1)
            y[mask] = y[mask] + expert(x[mask])
        return y
""",
    "index-add": """
        flat = x.flatten(0, 1)
        y = torch.zeros_like(flat)
        for n, expert in enumerate(self.experts):
            row, k = (chosen.flatten(0, 1) == n).nonzero(as_tuple=True)
            y.index_add_(0, row, expert(flat[row]) * weight.flatten(0, 1)[row, k, None])
        return y.view_as(x)
""",
    "accumulating-put": """
        y = torch.zeros_like(x)
        for n, expert in enumerate(self.experts):
            mask = (chosen == n).any(-1)
            y.index_put_((mask,), expert(x[mask]), accumulate=True)
        return y
""",
    "one-choice-for-each-token": """
        y = torch.zeros_like(x)
        for n, expert in enumerate(self.experts):
            mask = chosen[..., 0] == n
            y[mask] = expert(x[mask])
        return y
""",
    "one-choice-in-place-of-the-input": """
        x = x.clone()
        for n, expert in enumerate(self.experts):
            mask = chosen[..., 0] == n
            x[mask] = expert(x[mask])
        return x
""",
    "a-new-buffer-for-each-choice": """
        y = torch.zeros_like(x)
        for k in range(self.k):
            part = torch.zeros_like(x)
            for n, expert in enumerate(self.experts):
                mask = chosen[..., k] == n
                part[mask] = expert(x[mask])
            y = y + weight[..., k, None] * part
        return y
""",
    "one-buffer-read-after-each-choice": """
        y, part = torch.zeros_like(x), torch.zeros_like(x)
        for k in range(self.k):
            part = part.detach().clone()
            for n, expert in enumerate(self.experts):
                mask = chosen[..., k] == n
                part[mask] = expert(x[mask])
            y = y + weight[..., k, None] * part
        return y
""",
    "a-slot-for-each-choice": """
        parts = x.new_zeros(*x.shape[:2], self.k, x.size(-1))
        for k in range(self.k):
            for n, expert in enumerate(self.experts):
                mask = chosen[..., k] == n
                parts[:, :, k][mask] = expert(x[mask])
        return (parts * weight[..., None]).sum(2)
""",
    "several-rounds": """
        for _ in range(3):
            y = x.clone()
            for n, expert in enumerate(self.experts):
                mask = chosen[..., 0] == n
                y[mask] = expert(x[mask])
            x = y
        return x
""",
    "dense": """
        gate = self.router(x).softmax(-1)
        return sum(gate[..., n, None] * f(x) for n, f in enumerate(self.experts))
""",
    "dense-with-weights-of-zero": """
        gate = torch.zeros_like(self.router(x)).scatter(-1, chosen, weight)
        return sum(gate[..., n, None] * f(x) for n, f in enumerate(self.experts))
""",
    "dense-and-picked": """
        y = torch.zeros_like(x)
        for n, expert in enumerate(self.experts):
            mask = (chosen == n).any(-1)
            y[mask] += expert(x)[mask]
        return y
""",
    "where-into-a-sum": """
        y = torch.zeros_like(x)
        for n, expert in enumerate(self.experts):
            mask = (chosen == n).any(-1, keepdim=True)
            y = y + torch.where(mask, expert(x), torch.zeros_like(x))
        return y
""",
    "no-rows-for-some": """
        flat = x.flatten(0, 1)
        y = flat.clone()
        for n, expert in enumerate(self.experts):
            row = (chosen.flatten(0, 1)[:, 0] == n).nonzero().squeeze(-1)[: n]
            y[row] = expert(flat[row])
        return y.view_as(x)
""",
    "capacity": """
        flat = x.flatten(0, 1)
        y = torch.zeros_like(flat)
        for n, expert in enumerate(self.experts):
            row = (chosen.flatten(0, 1) == n).any(-1).nonzero().squeeze(-1)[:2]
            y = y.index_add(0, row, expert(flat[row]))
        return y.view_as(x)
""",
}
