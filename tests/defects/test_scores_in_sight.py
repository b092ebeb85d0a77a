"""GD625 and GD640 to GD644: what losses are given, across helpers and models."""

from __future__ import annotations

import pytest

from tests.defects.marks import marked
from tests.defects.scanning import lines_of

CASES = {
    "GD625 direct": """\
import torch.nn.functional as F
def step(model, x, y):
    return F.cross_entropy(y, model(x))  # here
""",
    "GD625 teacher healthy": """\
import torch.nn.functional as F
def step(model, teacher, x):
    y = model(x)
    return F.cross_entropy(y, teacher(x).softmax(-1))
""",
    "GD625 instance": """\
import torch
from torch import nn
class T:
    def __init__(self, net):
        self.net = net
        self.measure = nn.CrossEntropyLoss()
    def step(self, batch):
        x, targets = batch
        return self.measure(targets, self.net(x))  # here
""",
    "GD625 bce": """\
import torch
from torch import nn
def train(model, loader, opt):
    bce = nn.BCELoss()
    for x, labels in loader:
        probs = torch.sigmoid(model(x))
        loss = bce(labels.float(), probs)  # here
        loss.backward()
        opt.step()
""",
    "GD625 kw": """\
import torch.nn.functional as F
def f(logits, target):
    return F.cross_entropy(input=target, target=logits)  # here
""",
    "GD625 constructor": """\
import torch
from torch import nn
def train(model, loader, opt):
    for x, y in loader:
        loss = nn.MSELoss(model(x), y)  # here
        loss.backward()
        opt.step()
""",
    "GD625 constructor pred": """\
import torch
from torch import nn
def f(y_pred, truth):
    return nn.HuberLoss(y_pred, truth)  # here
""",
    "GD625 constructor weight healthy": """\
import torch
from torch import nn
def f(class_weights, ignore):
    a = nn.CrossEntropyLoss(class_weights, None, ignore)
    b = nn.BCEWithLogitsLoss(class_weights, True)
    return nn.CrossEntropyLoss(class_weights, ignore_index=ignore), a, b
""",
    "GD625 good": """\
import torch
from torch import nn
import torch.nn.functional as F
def f(model, x, y, pred, target):
    a = nn.MSELoss()(y, model(x))
    b = F.mse_loss(target, pred)
    c = F.binary_cross_entropy(torch.sigmoid(model(x)), y)
    return a + b + c + F.cross_entropy(model(x), y)
""",
    "GD625 criterion passed": """\
import torch
from torch import nn
def step(model, loss_function, x, y):
    outputs = model(x)
    return loss_function(y, outputs)  # here
def main(model, loader):
    lf = nn.CrossEntropyLoss()
    for x, y in loader:
        step(model, lf, x, y).backward()
""",
    "GD625 gan labels healthy": """\
import torch
from torch import nn
def d(disc, real, fake, label):
    bce = nn.BCEWithLogitsLoss()
    return bce(disc(real), torch.ones(3)) + bce(disc(fake), label)
""",
    "GD642 pair": """\
import torch
import torch.nn.functional as F
def js(a, b):
    p, q = (F.softmax(t, dim=-1) for t in (a, b))
    return F.kl_div(p, q, reduction="batchmean")  # here
""",
    "GD640 tied": """\
import torch
from torch import nn
import torch.nn.functional as F
class M(nn.Module):
    def __init__(self, v, d):
        super().__init__()
        self.e = nn.Embedding(v, d)
        self.r = nn.GRU(d, d, batch_first=True)
    def forward(self, x, y):
        h, _ = self.r(self.e(x))
        logits = h @ self.e.weight.T
        return F.nll_loss(logits.flatten(0, 1), y.flatten())  # here
""",
    "GD625 layer second": """\
import torch
from torch import nn
from torch.nn import functional as fn
class M(nn.Module):
    def __init__(self):
        super().__init__()
        self.score = nn.Linear(3, 1)
    def forward(self, x, labels):
        return fn.binary_cross_entropy_with_logits(labels, self.score(x).squeeze(-1))  # here
""",
    "GD625 nll second": """\
import torch
from torch.nn import functional as fn
def loss(net, x, targets):
    return fn.nll_loss(targets, fn.log_softmax(net(x), dim=1))  # here
""",
    "GD625 lit": """\
import torch
import pytorch_lightning as pl
from torch import nn
class L(pl.LightningModule):
    def __init__(self, net):
        super().__init__()
        self.net = net
        self.loss = nn.BCEWithLogitsLoss()
    def forward(self, x):
        return self.net(x)
    def training_step(self, batch, idx):
        x, y = batch
        y_hat = self(x)
        return self.loss(y.float(), y_hat)  # here
""",
    "GD625 kw constructor": """\
import torch
from torch import nn
def f(model, batch):
    out = model(batch["x"])
    return nn.CrossEntropyLoss(out, batch["y"])  # here
""",
    "GD641 lit": """\
import torch
from torch import nn
import torch.nn.functional as F
class L(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(d, 4), nn.ReLU(), nn.Linear(4, 1))
    def forward(self, x):
        return torch.sigmoid(self.net(x)).squeeze(-1)
    def loss(self, x, y):
        y_hat = self.forward(x)
        return F.binary_cross_entropy_with_logits(input=y_hat, target=y)  # here
""",
    "GD641 helper": """\
import torch
from torch import nn
import torch.nn.functional as F
class L(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.enc = nn.Linear(d, 4)
    def score(self, a, b):
        return (self.enc(a) * self.enc(b)).sum(-1).sigmoid()
    def forward(self, a, b, y):
        s = self.score(a, b)
        return nn.BCEWithLogitsLoss()(s, y)  # here
""",
    "GD640 crf": """\
import torch
from torch import nn, Tensor
class Seg(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Conv2d(3, 8, 3, padding=1)
        self.classify = nn.Conv2d(8, 5, 1)
    def forward(self, img):
        return self.classify(torch.relu(self.body(img)))
def step(net: Seg, batch, opt):
    img, mask = batch
    loss = nn.functional.nll_loss(net(img), mask)  # here
    opt.zero_grad()
    loss.backward()
    opt.step()
""",
    "GD640 dict output": """\
import torch
from torch import nn
from torch.nn import functional as F
class C(nn.Module):
    def __init__(self, d, k):
        super().__init__()
        self.p = nn.Linear(d, k)
    def forward(self, x):
        return {"logits": self.p(x)}
def step(model: C, x, y):
    out = model(x)
    return F.nll_loss(out["logits"], y)  # here
""",
    "GD644 class layer": """\
import torch
from torch import nn
class P(nn.Module):
    def __init__(self, d, k):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(d, 32), nn.Tanh(), nn.Linear(32, k), nn.Softmax(dim=-1))
    def act(self, s):
        return self.net(s)
def update(pi, opt, s, a, adv):
    p = pi.act(s)
    logp = torch.log(p[torch.arange(len(a)), a])  # here
    loss = -(logp * adv).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
def main(env, s, a, adv):
    pi = P(4, 2)
    update(pi, torch.optim.Adam(pi.parameters()), s, a, adv)
""",
    "GD642 swapped": """\
import torch
from torch import nn
from torch.nn import functional as fn
class KD(nn.Module):
    def __init__(self, student, teacher):
        super().__init__()
        self.student, self.teacher = student, teacher
    def forward(self, x):
        log_s = fn.log_softmax(self.student(x), dim=-1)
        with torch.no_grad():
            p_t = fn.softmax(self.teacher(x), dim=-1)
        return fn.kl_div(p_t, log_s, reduction="batchmean")  # here
""",
    "GD643 weights": """\
import torch
from torch import nn
class KD(nn.Module):
    def __init__(self, student, teacher, T=2.0):
        super().__init__()
        self.student, self.teacher, self.T = student, teacher, T
        self.criterion = nn.KLDivLoss()  # here
    def forward(self, x):
        log_s = (self.student(x) / self.T).log_softmax(-1)
        p_t = (self.teacher(x) / self.T).softmax(-1).detach()
        return self.T ** 2 * self.criterion(log_s, p_t)
""",
    "GD640 wrapped healthy": """\
import torch
from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 4)
    def forward(self, x):
        return self.fc(x)
def train(model, loader):
    for x, y in loader:
        nn.functional.nll_loss(model(x), y).backward()
def main(loader):
    model = nn.Sequential(Net(), nn.LogSoftmax(1))
    train(model, loader)
""",
    "GD640 two models healthy": """\
import torch
from torch import nn
class Raw(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 4)
    def forward(self, x):
        return self.fc(x)
class Logs(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 4)
    def forward(self, x):
        return self.fc(x).log_softmax(-1)
def train(model, loader):
    for x, y in loader:
        nn.functional.nll_loss(model(x), y).backward()
""",
    "GD641 gate healthy": """\
import torch
from torch import nn
import torch.nn.functional as F
class G(nn.Module):
    def __init__(self):
        super().__init__()
        self.g = nn.Linear(3, 3)
        self.o = nn.Linear(3, 1)
    def forward(self, x):
        return self.o(torch.sigmoid(self.g(x)) * x)
    def loss(self, x, y):
        out = self(x)
        return F.binary_cross_entropy_with_logits(out, y) + 0.1 * torch.sigmoid(out).mean()
""",
    "GD640 local head": """\
import torch
from torch import nn
import torch.nn.functional as F
def run(loader, d, k):
    head = nn.Linear(d, k)
    opt = torch.optim.SGD(head.parameters(), lr=0.1)
    for x, y in loader:
        loss = F.nll_loss(head(x), y)  # here
        opt.zero_grad()
        loss.backward()
        opt.step()
""",
    "GD641 module level": """\
import torch
from torch import nn
from data import loader
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1), nn.Sigmoid())
loss_fn = nn.BCEWithLogitsLoss()
opt = torch.optim.Adam(model.parameters())
for x, y in loader:
    opt.zero_grad()
    pred = model(x)
    loss = loss_fn(pred, y)  # here
    loss.backward()
    opt.step()
""",
    "GD642 student prob through model": """\
import torch
from torch import nn
import torch.nn.functional as F
class S(nn.Module):
    def __init__(self):
        super().__init__()
        self.f = nn.Linear(3, 4)
    def forward(self, x):
        return F.softmax(self.f(x), dim=1)
def kd(student: S, teacher_probs, x):
    return F.kl_div(student(x), teacher_probs, reduction="batchmean")  # here
""",
    "GD644 in loss class": """\
import torch
from torch import nn
class SoftCE(nn.Module):
    def forward(self, logits, soft):
        p = torch.nn.functional.softmax(logits, dim=1)
        return torch.mean(torch.sum(-soft * torch.log(p), dim=1))  # here
""",
    "GD640 script criterion": """\
import torch
from torch import nn, optim
from data import loader
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.l1 = nn.Linear(4, 4)
        self.l2 = nn.Linear(4, 3)
    def forward(self, x):
        x = torch.relu(self.l1(x))
        return self.l2(x)
net = Net()
criterion = nn.NLLLoss()
opt = optim.SGD(net.parameters(), lr=0.1)
for x, y in loader:
    opt.zero_grad()
    loss = criterion(net(x), y)  # here
    loss.backward()
    opt.step()
""",
    "GD640 script criterion healthy": """\
import torch
from torch import nn, optim
from data import loader
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.l1 = nn.Linear(4, 4)
        self.l2 = nn.Linear(4, 3)
    def forward(self, x):
        x = torch.relu(self.l1(x))
        return torch.log_softmax(self.l2(x), -1)
net = Net()
criterion = nn.NLLLoss()
opt = optim.SGD(net.parameters(), lr=0.1)
for x, y in loader:
    opt.zero_grad()
    loss = criterion(net(x), y)
    loss.backward()
    opt.step()
""",
    "GD640 main and train": """\
import torch
from torch import nn, optim
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 3))
    def forward(self, x):
        return self.body(x.flatten(1))
def train(model, loader, criterion, opt):
    for x, y in loader:
        opt.zero_grad()
        out = model(x)
        loss = criterion(out, y)  # here
        loss.backward()
        opt.step()
def main(loader):
    model = Net().cuda()
    crit = nn.NLLLoss()
    opt = optim.SGD(model.parameters(), lr=0.1)
    train(model, loader, crit, opt)
""",
    "GD640 lightning": """\
import torch
import pytorch_lightning as pl
from torch import nn
from torch.nn import functional as F
class Lit(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 3))
    def forward(self, x):
        return self.model(x)
    def training_step(self, batch, idx):
        x, y = batch
        logits = self(x)
        loss = F.nll_loss(logits, y)  # here
        return loss
""",
    "GD640 tuple": """\
import torch
from torch import nn
from torch.nn import functional as F
class LM(nn.Module):
    def __init__(self, v, d):
        super().__init__()
        self.e = nn.Embedding(v, d)
        self.r = nn.LSTM(d, d)
        self.h = nn.Linear(d, v)
    def forward(self, x, s=None):
        o, s = self.r(self.e(x), s)
        return self.h(o), s
def train(lm, data, opt):
    s = None
    for x, y in data:
        out, s = lm(x, s)
        loss = F.nll_loss(out.view(-1, out.size(-1)), y.view(-1))  # here
        loss.backward()
        opt.step()
def main(data):
    lm = LM(10, 20)
    train(lm, data, torch.optim.SGD(lm.parameters(), lr=1.0))
""",
    "GD641 attr": """\
import torch
import torch.nn as nn
class Disc(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 4), nn.LeakyReLU(), nn.Linear(4, 1), nn.Sigmoid())
    def forward(self, x):
        return self.net(x)
class GAN:
    def __init__(self, gen):
        self.gen = gen
        self.disc = Disc()
        self.bce = nn.BCEWithLogitsLoss()
    def d_loss(self, real, fake):
        pr, pf = self.disc(real), self.disc(fake.detach())
        lr = self.bce(pr, torch.ones_like(pr))  # here
        lf = self.bce(pf, torch.zeros_like(pf))  # here
        return lr + lf
""",
    "GD641 functional sequential local": """\
import torch
import torch.nn as nn
import torch.nn.functional as F
def main(loader):
    model = nn.Sequential(nn.Linear(4, 1), nn.Sigmoid())
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    for x, y in loader:
        opt.zero_grad()
        p = model(x).squeeze(1)
        F.binary_cross_entropy_with_logits(p, y).backward()  # here
        opt.step()
""",
    "GD641 healthy sigmoid only in eval": """\
import torch
import torch.nn as nn
import torch.nn.functional as F
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 1)
    def forward(self, x):
        out = self.fc(x)
        if not self.training:
            out = torch.sigmoid(out)
        return out
def train(model, loader, opt):
    crit = nn.BCEWithLogitsLoss()
    for x, y in loader:
        opt.zero_grad()
        crit(model(x), y).backward()
        opt.step()
""",
    "GD644 helper": """\
import torch
from torch import nn
class A(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 4)
        self.sm = nn.Softmax(dim=1)
    def probs(self, x):
        return self.sm(self.fc(x))
    def loss(self, x, y):
        p = self.probs(x)
        return -torch.log(p[torch.arange(len(y)), y]).mean()  # here
""",
    "GD644 entropy": """\
import torch
from torch import nn
import torch.nn.functional as F
class A(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 4)
    def loss(self, x):
        p = F.softmax(self.fc(x), dim=1)
        return -(p * p.log()).sum(1).mean()  # here
""",
    "GD644 forward returns log of softmax": """\
import torch
from torch import nn
import torch.nn.functional as F
class A(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Sequential(nn.Linear(3, 4), nn.Softmax(dim=-1))
    def forward(self, x):
        return torch.log(self.fc(x))  # here
""",
    "GD644 actor": """\
import torch
from torch import nn
import torch.nn.functional as F
class Policy(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 4)
    def forward(self, x):
        return torch.softmax(self.fc(x), dim=-1)
def update(policy, opt, states, actions, adv):
    probs = policy(states)
    logp = probs.gather(1, actions[:, None]).log().squeeze(1)  # here
    loss = -(logp * adv).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
""",
    "GD644 actor eps healthy": """\
import torch
from torch import nn
import torch.nn.functional as F
class Policy(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 4)
    def forward(self, x):
        return torch.softmax(self.fc(x), dim=-1)
def update(policy, opt, states, actions, adv):
    probs = policy(states)
    logp = (probs.gather(1, actions[:, None]) + 1e-8).log().squeeze(1)
    loss = -(logp * adv).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
""",
    "GD642 raw student": """\
import torch
import torch.nn as nn
import torch.nn.functional as F
class Student(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 3)
    def forward(self, x):
        return self.fc(x)
def distill(loader, teacher, T=3.0):
    student = Student()
    opt = torch.optim.Adam(student.parameters())
    for x in loader:
        with torch.no_grad():
            t = F.softmax(teacher(x) / T, dim=-1)
        s = student(x) / T
        loss = F.kl_div(s, t, reduction="batchmean")  # here
        opt.zero_grad()
        loss.backward()
        opt.step()
""",
    "GD642 targets raw": """\
import torch
import torch.nn as nn
import torch.nn.functional as F
class D(nn.Module):
    def __init__(self, d, k):
        super().__init__()
        self.s = nn.Linear(d, k)
        self.t = nn.Linear(d, k)
        self.kl = nn.KLDivLoss(reduction="batchmean")
    def forward(self, x):
        return self.kl(F.log_softmax(self.s(x), -1), self.t(x))  # here
""",
    "GD642 targets raw model": """\
import torch
import torch.nn as nn
import torch.nn.functional as F
class D(nn.Module):
    def __init__(self, d, k):
        super().__init__()
        self.s = nn.Linear(d, k)
        self.t = nn.Linear(d, k)
    def loss(self, x):
        log_p = self.s(x).log_softmax(-1)
        q = self.t(x).detach()
        return F.kl_div(log_p, q, reduction="batchmean")  # here
""",
    "GD643 init and use": """\
import torch
import torch.nn as nn
class D(nn.Module):
    def __init__(self, d, k):
        super().__init__()
        self.s = nn.Linear(d, k)
        self.kl = nn.KLDivLoss()  # here
    def loss(self, x, t):
        return self.kl(self.s(x).log_softmax(-1), t.softmax(-1))
""",
    "GD643 local": """\
import torch
import torch.nn as nn
def train(student, teacher, loader, opt):
    kl = nn.KLDivLoss(log_target=True)  # here
    for x in loader:
        with torch.no_grad():
            t = teacher(x).log_softmax(-1)
        loss = kl(student(x).log_softmax(-1), t)
        opt.zero_grad()
        loss.backward()
        opt.step()
""",
    "GD643 renamed": """\
import torch
from torch.nn.functional import kl_div as kld, log_softmax, softmax
def loss(a, b):
    return kld(log_softmax(a, -1), softmax(b, -1))  # here
""",
    "GD643 healthy multiplied by classes": """\
import torch
import torch.nn.functional as F
def loss(a, b):
    return F.kl_div(F.log_softmax(a, -1), F.softmax(b, -1), reduction="mean") * a.size(-1)
""",
    "GD643 sum healthy": """\
import torch
import torch.nn.functional as F
def loss(a, b):
    kw = {"reduction": "sum"}
    return F.kl_div(F.log_softmax(a, -1), F.softmax(b, -1), **kw) / a.size(0)
""",
}


@pytest.mark.parametrize(("name", "text"), CASES.items(), ids=CASES)
def test_what_is_marked_is_told_and_nothing_else(name: str, text: str) -> None:
    """The rule reports the marked lines and no other; a healthy text has none."""
    assert lines_of(name[:5], text) == marked(text)
