"""GD640 to GD645: what losses are given, and what becomes of them."""

from __future__ import annotations

import pytest

from tests.defects.marks import marked
from tests.defects.scanning import lines_of

HEAD = """\
import torch
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self, reduction):
        super().__init__()
        self.head = nn.Linear(8, 9)
        self.deep = nn.Sequential(nn.Linear(8, 9), nn.LogSoftmax(-1))
        self.nll = nn.NLLLoss()
        self.bce = nn.BCEWithLogitsLoss()
        self.kl = nn.KLDivLoss(reduction="batchmean")
        self.each = nn.CrossEntropyLoss(reduction="none")
        self.some = nn.CrossEntropyLoss(reduction=reduction)

    def loss(self, x, z, y, model, sure=False):
"""
SEEN = {
    "GD640 a head": "return F.nll_loss(self.head(x), y)  # here",
    "GD640 a head in another shape": "s = self.head(x)\n        s = s.transpose(1, 2)\n"
    "        return self.nll(s, y)  # here",
    "GD640 an output's logits": "return self.nll(model(x).logits[:, -1], y)  # here",
    "GD641 in the call": "return F.binary_cross_entropy_with_logits(z.sigmoid(), y)  # here",
    "GD641 by a name": "p = torch.sigmoid(self.head(x)).squeeze(-1)\n"
    "        return self.bce(p, y.float())  # here",
    "GD641 a softmax": "return nn.BCEWithLogitsLoss()(F.softmax(z, 1), y)  # here",
    "GD642 the first": "return F.kl_div(F.softmax(z, -1), y, reduction='batchmean')  # here",
    "GD642 the first, raw": "return self.kl(self.head(x), y)  # here",
    "GD642 a second of logarithms": "return self.kl(z.log_softmax(-1), x.log_softmax(-1))  # here",
    "GD642 a second of none": "t = x.softmax(-1)\n"
    "        return F.kl_div(z.log_softmax(-1), t, reduction='sum', log_target=True)  # here",
    "GD643 by default": "return F.kl_div(z.log_softmax(-1), y)  # here",
    "GD643 in words": "return F.kl_div(z, y, reduction='mean', log_target=True)  # here",
    "GD643 as a module": "return nn.KLDivLoss()(z.log_softmax(-1), y)  # here",
    "GD644 of a call": "return torch.log(F.softmax(z, dim=-1))[y]  # here",
    "GD644 of a name": "p = z.softmax(-1)\n        return -p[:, 1:].log().mean()  # here",
    "GD644 of both": "p = z.softmax(-1) if sure else F.softmax(x, -1)\n"
    "        return torch.log(p)  # here",
    "GD645 of a function": "F.cross_entropy(z, y, reduction='none').backward()  # here",
    "GD645 by a name": "loss = self.each(z, y).view(-1)\n        loss.backward()  # here",
}
UNSEEN = {
    "GD640 logarithms": "return F.nll_loss(self.deep(x), y)",
    "GD640 of a head": "return F.nll_loss(self.head(x).log_softmax(-1), y)",
    "GD640 of what is not in sight": "return F.nll_loss(model(x), y)",
    "GD640 cross-entropy": "return F.cross_entropy(self.head(x), y)",
    "GD641 logits": "return self.bce(self.head(x), y.sigmoid())",
    "GD641 probabilities for who wants them": "return F.binary_cross_entropy(z.sigmoid(), y)",
    "GD641 on one of two ways": "p = z.sigmoid() if sure else z\n        return self.bce(p, y)",
    "GD642 as it is meant": "return self.kl(z.log_softmax(-1), y.softmax(-1))",
    "GD642 both logarithms": "return F.kl_div(z.log_softmax(-1), y.log_softmax(-1), "
    "reduction='sum', log_target=True)",
    "GD642 logarithms of probabilities": "return self.kl(z.softmax(-1).log(), y.softmax(-1))",
    "GD642 a switch": "return F.kl_div(z.log_softmax(-1), y.softmax(-1), log_target=sure)",
    "GD643 divided by rows": "return F.kl_div(z, y, reduction='batchmean')",
    "GD643 each": "return (F.kl_div(z, y, reduction='none') * x).sum(-1).mean()",
    "GD643 a switch": "return F.kl_div(z, y, reduction=sure)",
    "GD643 old words": "return F.kl_div(z, y, size_average=False)",
    "GD644 of a mean of several": "p = torch.stack([z.softmax(-1), x.softmax(-1)])\n"
    "        return torch.log(p.mean(0))",
    "GD644 kept away from zero": "return (z.softmax(-1) + 1e-9).log()",
    "GD644 clamped": "return z.softmax(-1).clamp(min=1e-9).log()",
    "GD644 in one": "return z.log_softmax(-1)",
    "GD644 for a draw": "d = torch.distributions.Categorical(logits=z.softmax(-1).log())\n"
    "        return d.sample()",
    "GD644 without gradients": "with torch.no_grad():\n            return z.softmax(-1).log()",
    "GD644 of a number": "import math\n        return math.log(9)",
    "GD645 averaged": "self.each(z, y).mean().backward()",
    "GD645 weighed": "self.each(z, y).backward(x)",
    "GD645 masked": "loss = self.each(z, y)\n        loss = (loss * x).sum()\n"
    "        loss.backward()",
    "GD645 by a switch": "self.some(z, y).backward()",
    "GD645 of one number": "F.cross_entropy(z, y).backward()",
}


@pytest.mark.parametrize(("name", "body"), SEEN.items(), ids=SEEN)
def test_what_a_loss_does_not_want_is_seen(name: str, body: str) -> None:
    """Each rule alone, on its line."""
    text = f"{HEAD}        {body}\n"
    assert lines_of(name[:5], text) == marked(text)


@pytest.mark.parametrize(("name", "body"), UNSEEN.items(), ids=UNSEEN)
def test_what_a_loss_may_want_is_left_alone(name: str, body: str) -> None:
    """Where some way or some setting makes it right."""
    assert lines_of(name[:5], f"{HEAD}        {body}\n") == []
