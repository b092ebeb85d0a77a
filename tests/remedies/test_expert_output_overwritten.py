"""GD201: every chosen expert is heard, as much as the router says."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from tests.remedies.mending import PREFIX, again, declined, dedented, mended, run

MODULE = "routing.expert_output_overwritten"
CLASS = PREFIX + dedented(
    """
        class Mixture(nn.Module):
            def __init__(self, width=6, count=4, k=2):
                super().__init__()
                self.k = k
                self.router = nn.Linear(width, count)
                self.gate = nn.Sequential(nn.Linear(width, count), nn.Softmax(dim=-1))
                self.experts = nn.ModuleList(nn.Linear(width, width) for _ in range(count))

            def forward(self, z):
        """
)

# name: (what stands in the marked line and around it, lines that must be in the mended text).
# Shares of the two best experts, as they are.
PLAIN = {
    "masked rows under any": (
        """
        probs = self.router(z).softmax(dim=-1)
        top_w, top_idx = probs.topk(self.k, dim=-1)
        z_new = torch.zeros_like(z)
        for k in range(self.k):
            idx = top_idx[..., k]
            for e_id, expert in enumerate(self.experts):
                mask = idx == e_id
                if mask.any():
                    z_sel = z[mask].view(-1, z.size(-1))
                    z_upd = expert(z_sel)
                    z_new[mask] = z_upd  # HERE
        return z_new
        """,
        ["z_new[mask] += top_w[..., k][mask].unsqueeze(-1) * z_upd"],
    ),
    "weights thrown away": (
        """
        _, picks = torch.topk(F.softmax(self.router(z), dim=-1), k=self.k, dim=-1)
        out = torch.empty_like(z)
        for slot in range(picks.size(-1)):
            for number, net in enumerate(self.experts):
                chosen = picks[:, :, slot] == number
                out[chosen] = net(z[chosen])  # HERE
        return out
        """,
        [
            "weights, picks = torch.topk(",
            "out = torch.zeros_like(z)",
            "if not chosen.any():",
            "out[chosen] += weights[:, :, slot][chosen].unsqueeze(-1) * net(z[chosen])",
        ],
    ),
    "indices alone": (
        """
        share = self.gate(z)
        best = share.topk(self.k).indices
        y = z.clone()
        for j in range(self.k):
            for i in range(len(self.experts)):
                hit = best[..., j].eq(i)
                if hit.sum() > 0:
                    y[hit] = self.experts[i](z[hit])  # HERE
        return y
        """,
        ["weights = share.gather(-1, best)", "y = torch.zeros_like(z)"],
    ),
    "rows and slots": (
        """
        B, T, C = z.shape
        flat = z.reshape(-1, C)
        p = self.router(flat).softmax(-1)
        w, ids = p.topk(self.k, dim=-1)
        acc = flat.new_zeros(flat.shape)
        for e, expert in enumerate(self.experts):
            tok, _ = torch.where(ids == e)
            if tok.numel() == 0:
                continue
            acc[tok] = expert(flat[tok])  # HERE
        return acc.view(B, T, C)
        """,
        ["tok, slot = torch.where(ids == e)", "acc[tok] += w[tok, slot].unsqueeze(-1) * "],
    ),
    "both in one": (
        """
        top = torch.topk(self.router(z).softmax(-1), self.k)
        ids = top.indices
        out = torch.zeros_like(z)
        for n, f in enumerate(self.experts):
            b, t, s = (ids == n).nonzero(as_tuple=True)
            out.index_put_((b, t), f(z[b, t]))  # HERE
        return out
        """,
        ["out.index_put_((b, t), top.values[b, t, s].unsqueeze(-1) * f(z[b, t]), accumulate=True)"],
    ),
    "loop over the slots": (
        """
        weight, index = self.router(z).softmax(-1).topk(self.k, dim=-1)
        total = torch.zeros_like(z)
        for choice in index.unbind(-1):
            for i, expert in enumerate(self.experts):
                here = choice == i
                if not here.any():
                    continue
                total[here] = expert(z[here])  # HERE
        return total
        """,
        ["in zip(index.unbind(-1), weight.unbind(-1)):"],
    ),
    "dense with where": (
        """
        scores, ids = self.router(z).softmax(-1).topk(self.k, dim=-1)
        out = torch.zeros_like(z)
        for k in range(self.k):
            for e, net in enumerate(self.experts):
                mask = (ids[..., k] == e).unsqueeze(-1)
                out = torch.where(mask, net(z), out)  # HERE
        return out
        """,
        ["out = out + torch.where(mask, scores[..., k].unsqueeze(-1) * net(z), 0.0)"],
    ),
    "one token at a time": (
        """
        w, idx = torch.topk(self.router(z).softmax(-1), self.k, dim=-1)
        out = torch.zeros_like(z)
        for b in range(z.size(0)):
            for t in range(z.size(1)):
                for j in range(self.k):
                    chosen = self.experts[int(idx[b, t, j])]
                    out[b, t] = chosen(z[b, t])  # HERE
        return out
        """,
        ["out[b, t] += w[b, t, j] * chosen(z[b, t])"],
    ),
    "weighted already": (
        """
        w, idx = torch.topk(self.router(z).softmax(-1), self.k, dim=-1)
        out = torch.zeros_like(z)
        for j in range(self.k):
            for e, expert in enumerate(self.experts):
                mask = idx[..., j] == e
                if mask.any():
                    out[mask] = expert(z[mask]) * w[..., j][mask, None]  # HERE
        return out
        """,
        ["out[mask] += expert(z[mask]) * w[..., j][mask, None]"],
    ),
    "copied rows, weighted before": (
        """
        flat = z.flatten(0, 1)
        w, idx = torch.topk(self.router(flat).softmax(-1), self.k, dim=-1)
        out = torch.zeros_like(flat)
        for e, expert in enumerate(self.experts):
            rows, nth = (idx == e).nonzero().unbind(-1)
            y = expert(flat[rows])
            y *= w[rows, nth].unsqueeze(-1)
            out = out.index_copy(0, rows, y)  # HERE
        return out.view_as(z)
        """,
        ["out = out.index_add(0, rows, y)"],
    ),
    "scattered rows": (
        """
        flat = z.flatten(0, 1)
        w, idx = torch.topk(self.router(flat).softmax(-1), self.k, dim=-1)
        out = torch.zeros_like(flat)
        for e, expert in enumerate(self.experts):
            rows, nth = torch.where(idx == e)
            y = w[rows, nth, None] * expert(flat[rows])
            out.scatter_(0, rows[:, None].expand_as(y), y)  # HERE
        return out.view_as(z)
        """,
        ["out.scatter_add_(0,"],
    ),
}
# The two best scores, made to shares of one another.
NORMALISED = {
    "scores chosen from": (
        """
        values, index = self.router(z).topk(self.k, dim=-1)
        out = torch.zeros_like(z)
        for k in range(self.k):
            for e, net in enumerate(self.experts):
                mask = index[..., k] == e
                if mask.any():
                    out[mask] = net(z[mask])  # HERE
        return out
        """,
        ["weights = values.softmax(dim=-1)"],
    ),
    "normalised afterwards": (
        """
        probs = self.router(z).softmax(-1)
        top, index = probs.topk(self.k, dim=-1)
        top = top / top.sum(dim=-1, keepdim=True)
        out = torch.zeros_like(z)
        for k in range(self.k):
            w_k = top[..., k]
            for e, net in enumerate(self.experts):
                mask = index[..., k] == e
                if mask.any():
                    out[mask] = net(z[mask])  # HERE
        return out
        """,
        ["out[mask] += w_k[mask].unsqueeze(-1) * net(z[mask])"],
    ),
    "flattened for something else": (
        """
        best, index = torch.topk(self.router(z), self.k, dim=-1)
        best = best.softmax(dim=-1).to(z.dtype)
        load = best.view(-1)
        if self.training:
            shown = best / load.max()
        out = torch.zeros_like(z)
        for k in range(self.k):
            for e, net in enumerate(self.experts):
                mask = index[..., k] == e
                if mask.any():
                    out[mask] = net(z[mask])  # HERE
        return out
        """,
        ["best[..., k][mask].unsqueeze(-1) * net(z[mask])"],
    ),
    "softmax kept apart": (
        """
        best, index = torch.topk(self.router(z), self.k, dim=-1)
        share = best.softmax(dim=-1)
        out = torch.zeros_like(z)
        for k in range(self.k):
            for e, net in enumerate(self.experts):
                mask = index[..., k] == e
                if mask.any():
                    out[mask] = net(z[mask])  # HERE
        return out
        """,
        ["share[..., k][mask].unsqueeze(-1) * net(z[mask])"],
    ),
}
CASES = {**PLAIN, **NORMALISED}


def source(body: str) -> str:
    """A whole file with this body for the mixture's forward."""
    lines = dedented(body).rstrip().splitlines()
    return CLASS + "".join(f"        {line}\n" if line else "\n" for line in lines)


def expected(model: nn.Module, z: Tensor, *, normalised: bool, gate: bool) -> Tensor:
    """The mixture computed densely: every expert on every row, weighted or not chosen."""
    probs = model.gate(z) if gate else model.router(z).softmax(-1)
    weights, chosen = probs.topk(model.k, dim=-1)
    if normalised:
        weights = weights / weights.sum(-1, keepdim=True)
    dense = torch.zeros_like(probs).scatter(-1, chosen, weights)
    answers = torch.stack([expert(z) for expert in model.experts], dim=-1)
    return (answers * dense.unsqueeze(-2)).sum(-1)


@pytest.mark.parametrize("name", CASES)
def test_the_mended_mixture_equals_a_dense_one(name: str, tmp_path: Path) -> None:
    """To rounding, and the router gets a gradient."""
    body, lines = CASES[name]
    new = mended(MODULE, source(body), tmp_path)
    for line in lines:
        assert line in new
    torch.manual_seed(0)
    model = run(new)["Mixture"]()
    z = torch.randn(3, 7, 6)
    wanted = expected(model, z, normalised=name in NORMALISED, gate="self.gate" in body)
    found = model(z)
    torch.testing.assert_close(found, wanted)
    found.pow(2).sum().backward()
    router = model.gate[0] if "self.gate" in body else model.router
    assert router.weight.grad is not None
    assert router.weight.grad.abs().max() > 0


@pytest.mark.parametrize("name", CASES)
def test_a_second_run_changes_nothing(name: str, tmp_path: Path) -> None:
    """What adds is not made to add once more."""
    text = source(CASES[name][0])
    new = mended(MODULE, text, tmp_path)
    for line in range(1, new.count("\n") + 1):
        marked = "".join(
            f"{one}  # HERE\n" if number == line else f"{one}\n"
            for number, one in enumerate(new.splitlines(), 1)
        )
        if "+=" in marked.splitlines()[line - 1] or "_add" in marked.splitlines()[line - 1]:
            assert declined(MODULE, marked, tmp_path)
    assert again(MODULE, text, new, tmp_path) == new


DECLINES = {
    "weights that nobody has": (
        """
        idx = self.assign(z)
        out = torch.zeros_like(z)
        for k in range(self.k):
            for e, net in enumerate(self.experts):
                mask = idx[..., k] == e
                out[mask] = net(z[mask])  # HERE
        return out
        """,
        "which choice of the router",
    ),
    "a buffer that is not zero": (
        """
        w, idx = self.router(z).softmax(-1).topk(self.k, dim=-1)
        out = self.shared(z)
        for k in range(self.k):
            for e, net in enumerate(self.experts):
                mask = idx[..., k] == e
                out[mask] = net(z[mask])  # HERE
        return out
        """,
        "may be meant to be added to",
    ),
    "a copy that some rows keep": (
        """
        w, idx = self.router(z).softmax(-1).topk(self.k, dim=-1)
        out = z.clone()
        for k in range(self.k):
            for e, net in enumerate(self.experts):
                mask = (idx[..., k] == e) & self.has_room(e)
                out[mask] = net(z[mask])  # HERE
        return out
        """,
        "may be meant to be added to",
    ),
    "a router of unknown kind": (
        """
        w, idx = self.score(z).topk(self.k, dim=-1)
        out = torch.zeros_like(z)
        for k in range(self.k):
            for e, net in enumerate(self.experts):
                mask = idx[..., k] == e
                out[mask] = net(z[mask])  # HERE
        return out
        """,
        "not clear whether the router's scores are shares",
    ),
    "a buffer for each slot": (
        """
        w, idx = self.router(z).softmax(-1).topk(self.k, dim=-1)
        total = 0
        for k in range(self.k):
            out = self.start(z)
            out[idx[..., k] == 0] = self.experts[0](z)  # HERE
            total = total + out
        return total
        """,
        "made anew",
    ),
    "no loop at all": (
        """
        out = torch.zeros_like(z)
        out[0] = self.experts[0](z[0])  # HERE
        return out
        """,
        "no statement at this place",
    ),
}


@pytest.mark.parametrize("name", DECLINES)
def test_it_declines(name: str, tmp_path: Path) -> None:
    """Where the text does not show what is meant, nothing is written."""
    body, reason = DECLINES[name]
    assert reason in declined(MODULE, source(body), tmp_path)
