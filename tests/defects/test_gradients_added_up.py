"""GD623: gradients of several batches, divided and not."""

from __future__ import annotations

import pytest

from tests.defects.marks import marked
from tests.defects.scanning import lines_of

CASES = {
    "GD623 attr": """\
import torch
import torch.nn.functional as F
class T:
    def __init__(self, model, accum):
        self.model = model
        self.accum = accum
        self.opt = torch.optim.SGD(model.parameters(), lr=0.1)
    def fit(self, loader):
        self.opt.zero_grad()
        for i, (x, y) in enumerate(loader):
            loss = F.cross_entropy(self.model(x), y)
            loss.backward()  # here
            if (i + 1) % self.accum == 0:
                self.opt.step()
                self.opt.zero_grad()
""",
    "GD623 chunks": """\
import torch
import torch.nn.functional as F
def train(model, loader, opt):
    for x, y in loader:
        opt.zero_grad()
        for xs, ys in zip(x.chunk(4), y.chunk(4)):
            F.cross_entropy(model(xs), ys).backward()  # here
        opt.step()
""",
    "GD623 counter": """\
import torch
import torch.nn.functional as F
def train(model, loader, opt):
    n = 0
    for x, y in loader:
        loss = F.cross_entropy(model(x), y)
        loss.backward()  # here
        n += 1
        if n == 4:
            opt.step()
            opt.zero_grad()
            n = 0
""",
    "GD623 amp": """\
import torch
import torch.nn.functional as F
def train(model, loader, opt, accumulation_steps=4):
    scaler = torch.cuda.amp.GradScaler()
    for step, (x, y) in enumerate(loader, start=1):
        with torch.autocast("cuda"):
            loss = F.cross_entropy(model(x), y)
        scaler.scale(loss).backward()  # here
        if step % accumulation_steps == 0:
            scaler.step(opt)
            scaler.update()
            opt.zero_grad()
""",
    "GD623 continue": """\
import torch
import torch.nn.functional as F
def train(model, loader, opt, k):
    for i, batch in enumerate(loader):
        out = model(**batch)
        out.loss.backward()  # here
        if (i + 1) % k:
            continue
        opt.step()
        opt.zero_grad()
""",
    "GD623 divided later healthy": """\
import torch
import torch.nn.functional as F
def train(model, loader, opt, k):
    for i, (x, y) in enumerate(loader):
        F.cross_entropy(model(x), y).backward()
        if (i + 1) % k == 0:
            for p in model.parameters():
                p.grad /= k
            opt.step()
            opt.zero_grad()
""",
    "GD623 lr divided healthy": """\
import torch
import torch.nn.functional as F
def train(model, loader, opt, k):
    for i, (x, y) in enumerate(loader):
        loss = F.cross_entropy(model(x), y)
        loss = loss / k
        loss.backward()
        if (i + 1) % k == 0:
            opt.step()
            opt.zero_grad()
""",
    "GD623 two functions": """\
import torch
import torch.nn.functional as F
def forward_backward(model, x, y):
    loss = F.cross_entropy(model(x), y)
    loss.backward()  # here
    return loss.item()
def train(model, loader, opt, k):
    opt.zero_grad()
    for i, (x, y) in enumerate(loader):
        forward_backward(model, x, y)
        if (i + 1) % k == 0:
            opt.step()
            opt.zero_grad()
""",
    "GD623 micro batch list": """\
import torch
import torch.nn.functional as F
def train(model, get_batch, opt, grad_accum):
    for it in range(100):
        opt.zero_grad(set_to_none=True)
        for micro in range(grad_accum):
            xb, yb = get_batch("train")
            logits = model(xb)
            loss = F.cross_entropy(logits.view(-1, logits.size(-1)), yb.view(-1))
            loss.backward()  # here
        opt.step()
""",
    "GD623 while": """\
import torch
import torch.nn.functional as F
def train(model, it, opt, accum):
    step = 0
    while step < 1000:
        x, y = next(it)
        loss = F.mse_loss(model(x), y)
        loss.backward()  # here
        step += 1
        if step % accum == 0:
            opt.step()
            opt.zero_grad()
""",
    "GD623 self counter": """\
import torch
import torch.nn.functional as F
class T:
    def __init__(self, model, k):
        self.model, self.k, self.n = model, k, 0
        self.opt = torch.optim.SGD(model.parameters(), lr=0.1)
    def step(self, x, y):
        loss = F.cross_entropy(self.model(x), y)
        loss.backward()  # here
        self.n += 1
        if self.n % self.k == 0:
            self.opt.step()
            self.opt.zero_grad()
        return loss.item()
""",
    "GD623 islice": """\
import itertools
import torch
import torch.nn.functional as F
def train(model, loader, opt, k):
    it = iter(loader)
    for _ in range(100):
        opt.zero_grad()
        for x, y in itertools.islice(it, k):
            F.cross_entropy(model(x), y).backward()  # here
        opt.step()
""",
    "GD623 enumerate range": """\
import torch
import torch.nn.functional as F
def train(model, loader, opt, args):
    data = iter(loader)
    for step in range(args.steps):
        opt.zero_grad()
        for _ in range(args.accumulate):
            batch = next(data)
            loss = model(batch["x"], labels=batch["y"]).loss
            loss.backward()  # here
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        opt.step()
""",
    "GD623 slices": """\
import torch
import torch.nn.functional as F
def train(model, loader, opt, mb):
    for x, y in loader:
        opt.zero_grad()
        for i in range(0, len(x), mb):
            out = model(x[i:i + mb])
            loss = F.cross_entropy(out, y[i:i + mb])
            loss.backward()  # here
        opt.step()
""",
    "GD623 every": """\
import torch
import torch.nn.functional as F
EVERY = 4
class T:
    def __init__(self, model):
        self.model = model
        self.opt = torch.optim.SGD(model.parameters(), lr=0.1)
        self.lossf = torch.nn.CrossEntropyLoss()
    def fit(self, loader):
        for i, (x, y) in enumerate(loader):
            self.lossf(self.model(x), y).backward()  # here
            if i % EVERY == EVERY - 1:
                self.opt.step()
                self.opt.zero_grad()
""",
    "GD623 divided by len healthy": """\
import torch
import torch.nn.functional as F
def train(model, loader, opt, mb):
    for x, y in loader:
        opt.zero_grad()
        for xs, ys in zip(x.split(mb), y.split(mb)):
            loss = F.cross_entropy(model(xs), ys) * len(xs) / len(x)
            loss.backward()
        opt.step()
""",
    "GD623 bptt healthy": """\
import torch
import torch.nn.functional as F
def train(model, seq, opt, bptt):
    opt.zero_grad()
    state = None
    for i in range(0, len(seq), bptt):
        out, state = model(seq[i:i + bptt], state)
        loss = F.mse_loss(out, seq[i + 1:i + 1 + bptt])
        loss.backward()
        state = state.detach()
    opt.step()
""",
    "GD623 slices scaled healthy": """\
import torch
import torch.nn.functional as F
def train(model, loader, opt, mb):
    for x, y in loader:
        opt.zero_grad()
        for i in range(0, len(x), mb):
            out = model(x[i:i + mb])
            loss = F.cross_entropy(out, y[i:i + mb], reduction="sum") / len(x)
            loss.backward()
        opt.step()
""",
    "GD623 slices step inside healthy": """\
import torch
import torch.nn.functional as F
def train(model, x, y, opt, mb):
    for i in range(0, len(x), mb):
        opt.zero_grad()
        loss = F.cross_entropy(model(x[i:i + mb]), y[i:i + mb])
        loss.backward()
        opt.step()
""",
    "GD623 trainer cfg": """\
import torch
import torch.nn.functional as F
def main(args, model, loader):
    optimizer = torch.optim.SGD(model.parameters(), lr=args.lr)
    for step, batch in enumerate(loader):
        logits = model(batch["input_ids"])
        loss = F.cross_entropy(logits.view(-1, logits.size(-1)), batch["labels"].view(-1))
        loss.backward()  # here
        if (step + 1) % args.gradient_accumulation_steps == 0 or step == len(loader) - 1:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
""",
}


@pytest.mark.parametrize(("name", "text"), CASES.items(), ids=CASES)
def test_what_is_marked_is_told_and_nothing_else(name: str, text: str) -> None:
    """The rule reports the marked lines and no other; a healthy text has none."""
    assert lines_of(name[:5], text) == marked(text)
