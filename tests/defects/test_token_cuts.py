"""GD406 and GD407: what the text shows of top-k and top-p."""

from __future__ import annotations

import pytest

from tests.defects.marks import marked
from tests.defects.scanning import lines_of

HEAD = """\
import torch


def generate(model, ids, steps, top_k=5, top_p=0.9, last=False):
    for _ in range(steps):
        z = model(ids)[:, -1]
"""
DRAW = """\
        ids = torch.cat([ids, torch.multinomial(z.softmax(-1), 1)], 1)
"""
NUCLEUS = """\
        p, order = torch.sort(z.softmax(-1), descending=True)
"""
DRAW_SORTED = """\
        ids = torch.cat([ids, order.gather(-1, torch.multinomial(p, 1))], 1)
"""
SEEN = {
    "GD406 the likeliest shut out": f"""\
        z[z >= torch.topk(z, top_k)[0][:, -1:]] = -float("inf")  # here
{DRAW}""",
    "GD406 the likeliest shut out by a name": f"""\
        v, _ = z.topk(top_k)
        out = z > v[:, [-1]]  # here
        z = z.masked_fill(out, float("-inf"))
{DRAW}""",
    "GD406 the wrong end": f"""\
        v = torch.topk(z, top_k, largest=False).values[:, -1, None]  # here
        z = torch.where(z < v, -torch.inf, z)
{DRAW}""",
    "GD406 one more": f"""\
        v = torch.topk(z, min(top_k, 9) + 1).values  # here
        z[z < v[:, -1:]] = -1e9
{DRAW}""",
    "GD407 the one that crosses": f"""\
{NUCLEUS}        p[p.cumsum(-1) > top_p] = 0  # here
{DRAW_SORTED}""",
    "GD407 the nucleus": f"""\
{NUCLEUS}        sums = torch.cumsum(p, dim=-1) - p
        p = p.masked_fill(sums < top_p, 0.0)  # here
{DRAW_SORTED}""",
    "GD407 the tail first": f"""\
        p, order = z.softmax(-1).sort(dim=-1)  # here
        p = p.masked_fill(p.cumsum(-1) - p > top_p, 0.0)
{DRAW_SORTED}""",
}
UNSEEN = {
    "GD406 as it is meant": f"""\
        v, _ = torch.topk(z, min(top_k, z.size(-1)))
        z[z < v[:, [-1]]] = -float("inf")
{DRAW}""",
    "GD406 one more, and without it": f"""\
        v = z.topk(top_k + 1).values[:, [-1]]
        z = z.masked_fill(z <= v, -torch.inf)
{DRAW}""",
    "GD406 kept where it holds": f"""\
        v = z.topk(top_k).values[:, [-1]]
        z = torch.where(z >= v, z, -torch.inf)
{DRAW}""",
    "GD406 a choice of ends": f"""\
        v = z.topk(top_k, largest=not last).values[:, [-1]]
        z = z.masked_fill(z > v, -torch.inf)
{DRAW}""",
    "GD407 the first stays": f"""\
{NUCLEUS}        out = p.cumsum(-1) > top_p
        out[:, 0] = False
        p[out] = 0
{DRAW_SORTED}""",
    "GD407 moved by one": f"""\
{NUCLEUS}        out = p.cumsum(-1) > top_p
        out[..., 1:] = out[..., :-1].clone()
        out[..., 0] = 0
        p = p.masked_fill(out, 0.0)
{DRAW_SORTED}""",
    "GD407 without its own share": f"""\
{NUCLEUS}        p = p.masked_fill(p.cumsum(-1) - p > top_p, 0.0)
{DRAW_SORTED}""",
    "GD407 the tail, from its end": f"""\
        p, order = z.softmax(-1).sort(dim=-1)
        p = p.masked_fill(p.cumsum(-1) <= 1 - top_p, 0.0)
{DRAW_SORTED}""",
    "GD407 an order that is chosen": f"""\
        p, order = z.softmax(-1).sort(-1, descending=last)
        p = p.masked_fill(p.cumsum(-1) > top_p, 0.0)
{DRAW_SORTED}""",
}


@pytest.mark.parametrize(("name", "body"), SEEN.items(), ids=SEEN)
def test_wrong_filters_are_seen(name: str, body: str) -> None:
    """Where the comparison, the sort or the count is."""
    text = f"{HEAD}{body}    return ids\n"
    assert lines_of(name[:5], text) == marked(text)


@pytest.mark.parametrize(("name", "body"), UNSEEN.items(), ids=UNSEEN)
def test_right_filters_are_left_alone(name: str, body: str) -> None:
    """And those that a run has to settle."""
    assert lines_of(name[:5], f"{HEAD}{body}    return ids\n") == []
