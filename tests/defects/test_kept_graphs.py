"""GD621, GD626 and GD645: losses with their graphs, and what becomes of them."""

from __future__ import annotations

import pytest

from tests.defects.marks import marked
from tests.defects.scanning import lines_of

CASES = {
    "GD621 attr": """\
import torch
class T:
    def __init__(self, m):
        self.m = m
        self.opt = torch.optim.Adam(m.parameters())
        self.losses = []
    def step(self, x, y):
        loss = (self.m(x) - y).pow(2).mean()
        self.opt.zero_grad()
        loss.backward()
        self.opt.step()
        self.losses.append(loss)  # here
""",
    "GD621 attr item healthy": """\
import torch
class T:
    def __init__(self, m):
        self.m = m
        self.opt = torch.optim.Adam(m.parameters())
        self.losses = []
    def step(self, x, y):
        loss = (self.m(x) - y).pow(2).mean()
        self.opt.zero_grad()
        loss.backward()
        self.opt.step()
        self.losses.append(loss.detach())
        self.losses.append(loss.item())
""",
    "GD621 components": """\
import torch
import torch.nn.functional as F
def train(vae, loader, opt):
    sums = {"rec": 0.0, "kl": 0.0}
    recs = []
    for x in loader:
        out, mu, lv = vae(x)
        rec_loss = F.mse_loss(out, x)
        kl_loss = -0.5 * (1 + lv - mu.pow(2) - lv.exp()).mean()
        loss = rec_loss + 0.1 * kl_loss
        opt.zero_grad()
        loss.backward()
        opt.step()
        sums["rec"] += rec_loss  # here
        recs.append((rec_loss, kl_loss.item()))  # here
    return sums
""",
    "GD621 helper": """\
import torch
import torch.nn.functional as F
def train_step(m, x, y, opt):
    opt.zero_grad()
    loss = F.cross_entropy(m(x), y)
    loss.backward()
    opt.step()
    return loss
def train(m, loader, opt):
    total = 0
    hist = []
    for x, y in loader:
        l = train_step(m, x, y, opt)
        total += l * x.size(0)  # here
        hist.append(train_step(m, x, y, opt))  # here
    return total
""",
    "GD621 helper item healthy": """\
import torch
import torch.nn.functional as F
def train_step(m, x, y, opt):
    opt.zero_grad()
    loss = F.cross_entropy(m(x), y)
    loss.backward()
    opt.step()
    return loss.item()
def train(m, loader, opt):
    total = 0
    for x, y in loader:
        l = train_step(m, x, y, opt)
        total += l
    return total
""",
    "GD621 script": """\
import torch
import torch.nn.functional as F
from data import m, loader
opt = torch.optim.SGD(m.parameters(), lr=0.1)
losses = []
for epoch in range(3):
    running = torch.zeros(1)
    for x, y in loader:
        loss = F.cross_entropy(m(x), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
        running = running + loss  # here
        losses += [loss]  # here
""",
    "GD621 tbptt healthy": """\
import torch
import torch.nn.functional as F
def f(rnn, data, opt):
    total = 0
    for i, (x, y) in enumerate(data):
        loss = F.mse_loss(rnn(x), y)
        total = total + loss
        if i % 5 == 0:
            total.backward()
            opt.step()
            total = 0
""",
    "GD621 ema": """\
import torch
import torch.nn.functional as F
def f(m, data, opt):
    avg = 0.0
    for x, y in data:
        loss = F.mse_loss(m(x), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
        avg = 0.9 * avg + 0.1 * loss  # here
""",
    "GD621 argument list": """\
import torch
import torch.nn.functional as F
def f(m, data, opt, history):
    for x, y in data:
        loss = F.mse_loss(m(x), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
        history.append(loss)  # here
""",
    "GD621 loss beyond this turn healthy": """\
import torch
import torch.nn.functional as F
def f(m, data, opt):
    for x, y in data:
        parts = []
        for h in m.heads:
            part = F.mse_loss(h(x), y)
            parts.append(part)
        loss = sum(parts)
        opt.zero_grad()
        loss.backward()
        opt.step()
""",
    "GD621 aux losses healthy": """\
import torch
import torch.nn.functional as F
def f(m, data, opt):
    for x, y in data:
        loss = F.mse_loss(m(x), y)
        aux_loss = m.aux(x)
        total_loss = 0
        total_loss += loss
        total_loss += aux_loss
        opt.zero_grad()
        total_loss.backward()
        opt.step()
""",
    "GD621 detached": """\
import torch
import torch.nn.functional as F
def f(m, data, opt):
    total = 0
    for x, y in data:
        loss = F.mse_loss(m(x), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
        loss = loss.item()
        total += loss
""",
    "GD626 expr": """\
import torch
import torch.nn.functional as F
def train(model, loader, opt):
    for x, y in loader:
        opt.zero_grad()
        F.cross_entropy(model(x), y).backward(retain_graph=True)  # here
        opt.step()
""",
    "GD626 step method": """\
import torch
import torch.nn.functional as F
class T:
    def __init__(self, model):
        self.model = model
        self.opt = torch.optim.Adam(model.parameters())
    def step(self, x, y):
        self.opt.zero_grad()
        loss = F.cross_entropy(self.model(x), y)
        loss.backward(retain_graph=True)  # here
        self.opt.step()
        return loss.item()
""",
    "GD626 amp": """\
import torch
import torch.nn.functional as F
def train(model, loader, opt, scaler):
    for x, y in loader:
        opt.zero_grad()
        with torch.autocast("cuda"):
            loss = F.cross_entropy(model(x), y)
        scaler.scale(loss).backward(retain_graph=True)  # here
        scaler.step(opt)
        scaler.update()
""",
    "GD626 sum": """\
import torch
import torch.nn.functional as F
def train(vae, loader, opt):
    for x in loader:
        rec, mu, logvar = vae(x)
        loss = F.mse_loss(rec, x)
        loss += -0.5 * (1 + logvar - mu ** 2 - logvar.exp()).mean()
        opt.zero_grad()
        loss.backward(retain_graph=True)  # here
        opt.step()
""",
    "GD626 hidden state healthy": """\
import torch
import torch.nn.functional as F
def train(rnn, loader, opt):
    h = None
    for x, y in loader:
        out, h = rnn(x, h)
        loss = F.mse_loss(out, y)
        opt.zero_grad()
        loss.backward(retain_graph=True)
        opt.step()
""",
    "GD626 helper with loss given healthy": """\
import torch
def optimize(loss, opt, retain):
    opt.zero_grad()
    loss.backward(retain_graph=True)
    opt.step()
""",
    "GD626 gan healthy": """\
import torch
import torch.nn.functional as F
def train(g, d, loader, og, od):
    for x in loader:
        fake = g(x)
        dl = -d(x).mean() + d(fake).mean()
        od.zero_grad()
        dl.backward(retain_graph=True)
        od.step()
        gl = -d(fake).mean()
        og.zero_grad()
        gl.backward()
        og.step()
""",
    "GD626 grads healthy": """\
import torch
import torch.nn.functional as F
def train(model, loader, opt):
    for x, y in loader:
        loss = F.cross_entropy(model(x), y)
        opt.zero_grad()
        loss.backward(retain_graph=True)
        g = torch.autograd.grad(loss, x)
        opt.step()
""",
    "GD626 step with state healthy": """\
import torch
import torch.nn.functional as F
class T:
    def step(self, x, y):
        self.opt.zero_grad()
        out, self.h = self.model(x, self.h)
        loss = F.cross_entropy(out, y)
        loss.backward(retain_graph=True)
        self.opt.step()
""",
    "GD626 returned graph healthy": """\
import torch
import torch.nn.functional as F
class T:
    def __init__(self, model):
        self.model = model
        self.opt = torch.optim.Adam(model.parameters())
    def step(self, x, y):
        self.opt.zero_grad()
        z = self.model(x)
        loss = F.cross_entropy(z, y)
        loss.backward(retain_graph=True)
        self.opt.step()
        return z
""",
    "GD626 lightning manual": """\
import torch
import pytorch_lightning as pl
import torch.nn.functional as F
class L(pl.LightningModule):
    def training_step(self, batch, idx):
        x, y = batch
        opt = self.optimizers()
        opt.zero_grad()
        loss = F.mse_loss(self(x), y)
        self.manual_backward(loss, retain_graph=True)  # here
        opt.step()
""",
    "GD626 in two losses same turn healthy": """\
import torch
def train(model, loader, opt):
    for x, y in loader:
        a, b = model(x)
        opt.zero_grad()
        for i, l in enumerate((a, b)):
            l.backward(retain_graph=True)
        opt.step()
""",
    "GD645 attr": """\
import torch
from torch import nn
class T:
    def __init__(self, m):
        self.m = m
        self.crit = nn.MSELoss(reduction="none")
        self.opt = torch.optim.Adam(m.parameters())
    def step(self, x, y, w):
        loss = self.crit(self.m(x), y)
        loss = loss * w.unsqueeze(-1)
        self.opt.zero_grad()
        loss.backward()  # here
        self.opt.step()
""",
    "GD645 arg": """\
import torch
from torch import nn
def train(m, loader, criterion, opt):
    for x, y in loader:
        loss = criterion(m(x), y)
        opt.zero_grad()
        loss.backward()  # here
        opt.step()
def main(m, loader):
    crit = nn.CrossEntropyLoss(reduction="none")
    train(m, loader, crit, torch.optim.SGD(m.parameters(), lr=1.0))
""",
    "GD645 script": """\
import torch
from torch import nn
from data import loader, m
crit = nn.CrossEntropyLoss(reduction="none")
opt = torch.optim.SGD(m.parameters(), lr=1.0)
for x, y in loader:
    loss = crit(m(x), y)
    opt.zero_grad()
    loss.backward()  # here
    opt.step()
""",
    "GD645 scaler and sum of two": """\
import torch
import torch.nn.functional as F
def train(m, loader, opt, scaler):
    for x, y, w in loader:
        out = m(x)
        ce = F.cross_entropy(out, y, reduction="none")
        reg = out.pow(2).mean()
        scaler.scale(ce * w + 0.1 * reg).backward()  # here
        scaler.step(opt)
        scaler.update()
""",
    "GD645 reduce": """\
import torch
import torch.nn.functional as F
def train(m, loader, opt):
    for x, y in loader:
        l = F.l1_loss(m(x), y, reduce=False)
        l.backward()  # here
        opt.step()
""",
    "GD645 focal": """\
import torch
import torch.nn.functional as F
def focal(logits, y, gamma=2.0):
    ce = F.cross_entropy(logits, y, reduction="none")
    pt = torch.exp(-ce)
    return (1 - pt) ** gamma * ce
def train(m, loader, opt):
    for x, y in loader:
        loss = focal(m(x), y)
        loss.backward()  # here
        opt.step()
""",
    "GD645 focal healthy": """\
import torch
import torch.nn.functional as F
def focal(logits, y, gamma=2.0, reduction="mean"):
    ce = F.cross_entropy(logits, y, reduction="none")
    pt = torch.exp(-ce)
    loss = (1 - pt) ** gamma * ce
    if reduction == "mean":
        loss = loss.mean()
    return loss
def train(m, loader, opt):
    for x, y in loader:
        loss = focal(m(x), y)
        loss.backward()
        opt.step()
""",
    "GD645 each healthy": """\
import torch
import torch.nn.functional as F
def train(m, loader, opt):
    for x, y in loader:
        losses = F.cross_entropy(m(x), y, reduction="none")
        for l in losses:
            l.backward(retain_graph=True)
        opt.step()
""",
    "GD645 indexed healthy": """\
import torch
import torch.nn.functional as F
def train(m, x, y):
    losses = F.cross_entropy(m(x), y, reduction="none")
    losses[0].backward()
    (losses @ y.float()).backward()
    torch.dot(losses, y.float()).backward()
""",
    "GD645 topk healthy": """\
import torch
import torch.nn.functional as F
def train(m, x, y, k):
    losses = F.cross_entropy(m(x), y, reduction="none")
    hard, _ = losses.topk(k)
    hard.mean().backward()
""",
    "GD645 topk": """\
import torch
import torch.nn.functional as F
def train(m, x, y, k):
    losses = F.cross_entropy(m(x), y, reduction="none")
    hard = losses.topk(k).values
    hard.backward()  # here
""",
    "GD645 method on model": """\
import torch
from torch import nn
import torch.nn.functional as F
class M(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(2, 3)
    def forward(self, x, y):
        return F.cross_entropy(self.fc(x), y, reduction="none")
def train(loader):
    m = M()
    opt = torch.optim.SGD(m.parameters(), lr=0.1)
    for x, y in loader:
        loss = m(x, y)
        opt.zero_grad()
        loss.backward()  # here
        opt.step()
""",
    "GD645 row sums": """\
import torch
import torch.nn.functional as F
def train(m, loader, opt):
    for x, y in loader:
        per = F.mse_loss(m(x), y, reduction="none").mean(dim=1)
        opt.zero_grad()
        per.backward()  # here
        opt.step()
""",
    "GD645 rows then mean healthy": """\
import torch
import torch.nn.functional as F
def train(m, loader, opt):
    for x, y in loader:
        per = F.mse_loss(m(x), y, reduction="none").mean(dim=1)
        loss = per.sum(0)
        per = per.mean()
        per.backward()
        loss.sum().backward()
""",
    "GD626 detached": """\
import torch
import torch.nn.functional as F
def train(rnn, loader, opt):
    h = torch.zeros(1, 2, 3)
    for x, y in loader:
        h = h.detach()
        out, h = rnn(x, h)
        loss = F.mse_loss(out, y)
        opt.zero_grad()
        loss.backward(retain_graph=True)  # here
        opt.step()
""",
    "GD621 hf": """\
import torch
def train(model, loader, opt):
    total = 0
    losses = []
    for batch in loader:
        outputs = model(**batch)
        outputs.loss.backward()
        opt.step()
        opt.zero_grad()
        total += outputs.loss  # here
        losses.append(outputs.loss.item())
    return total
""",
    "GD621 dict loss": """\
import torch
def train(model, loader, opt):
    logs = []
    for batch in loader:
        out = model(batch)
        out["loss"].backward()
        opt.step()
        opt.zero_grad()
        logs.append({"loss": out["loss"], "acc": out["acc"]})  # here
    return logs
""",
    "GD621 comprehension": """\
import torch
import torch.nn.functional as F
class T:
    def __init__(self, m):
        self.m = m
        self.opt = torch.optim.Adam(m.parameters())
    def step(self, x, y):
        self.opt.zero_grad()
        loss = F.mse_loss(self.m(x), y)
        loss.backward()
        self.opt.step()
        return loss
    def epoch(self, loader):
        losses = [self.step(x, y) for x, y in loader]  # here
        return torch.stack(losses).mean().item()
""",
    "GD621 comprehension healthy": """\
import torch
import torch.nn.functional as F
class T:
    def __init__(self, m):
        self.m = m
        self.opt = torch.optim.Adam(m.parameters())
    def step(self, x, y):
        self.opt.zero_grad()
        loss = F.mse_loss(self.m(x), y)
        loss.backward()
        self.opt.step()
        return loss
    def epoch(self, loader):
        return sum([self.step(x, y).item() for x, y in loader])
""",
    "GD645 one target healthy": """\
import torch.nn.functional as F
def learn(model, x, y, opt):
    loss = F.cross_entropy(model(x)[None], y[None], reduction="none").squeeze()
    opt.zero_grad()
    loss.backward()
    opt.step()
""",
    "GD621 rl": """\
import torch
from torch.distributions import Categorical
def reinforce(policy, env, opt, episodes):
    history = {"loss": [], "return": []}
    for ep in range(episodes):
        logps, rewards = [], []
        s, done = env.reset(), False
        while not done:
            dist = Categorical(logits=policy(s))
            a = dist.sample()
            logps.append(dist.log_prob(a))
            s, r, done, _ = env.step(a.item())
            rewards.append(r)
        policy_loss = -(torch.stack(logps) * torch.tensor(rewards)).sum()
        opt.zero_grad()
        policy_loss.backward()
        opt.step()
        history["loss"].append(policy_loss)  # here
        history["return"].append(sum(rewards))
    return history
""",
    "GD621 gan both": """\
import torch
import torch.nn.functional as F
def train(G, D, loader, optG, optD):
    g_losses, d_losses = [], []
    for real in loader:
        fake = G(torch.randn(len(real), 10))
        errD = -(D(real).log().mean() + (1 - D(fake.detach())).log().mean())
        optD.zero_grad()
        errD.backward()
        optD.step()
        errG = -D(fake).log().mean()
        optG.zero_grad()
        errG.backward()
        optG.step()
        g_losses.append(errG)  # here
        d_losses.append(errD.item())
    return g_losses, d_losses
""",
    "GD621 amp accel": """\
import torch
import torch.nn.functional as F
def train(model, loader, opt, accelerator):
    model.train()
    epoch_loss = torch.tensor(0.0)
    for x, y in loader:
        with accelerator.accumulate(model):
            loss = F.cross_entropy(model(x), y)
            accelerator.backward(loss)
            opt.step()
            opt.zero_grad()
        epoch_loss += loss  # here
    return epoch_loss / len(loader)
""",
    "GD621 self total": """\
import torch
import torch.nn.functional as F
class Trainer:
    def __init__(self, m, opt):
        self.m, self.opt = m, opt
        self.running_loss = 0.0
    def train_batch(self, x, y):
        self.opt.zero_grad()
        loss = F.cross_entropy(self.m(x), y)
        loss.backward()
        self.opt.step()
        self.running_loss += loss  # here
""",
    "GD645 dpo like": """\
import torch
from torch import nn
import torch.nn.functional as F
class T:
    def loss(self, batch):
        logits = self.model(batch["ids"])
        nll = F.cross_entropy(logits.transpose(1, 2), batch["labels"], reduction="none")
        return nll * batch["mask"]
    def train_step(self, batch):
        self.optimizer.zero_grad()
        loss = self.loss(batch)
        loss.backward()  # here
        self.optimizer.step()
""",
    "GD645 tuple": """\
import torch
import torch.nn.functional as F
def compute(model, x, y):
    out = model(x)
    return F.cross_entropy(out, y, reduction="none"), out
def step(model, x, y, opt):
    loss, out = compute(model, x, y)
    opt.zero_grad()
    loss.backward()  # here
    opt.step()
    return out
""",
    "GD626 vae": """\
import torch
from torch import nn
def fit(vae, data, epochs):
    optim = torch.optim.Adam(vae.parameters())
    step = 0
    for epoch in range(epochs):
        for x in data:
            recon, mu, logvar = vae(x)
            bce = nn.functional.binary_cross_entropy(recon, x, reduction="sum")
            kld = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
            optim.zero_grad()
            (bce + kld).backward(retain_graph=True)  # here
            optim.step()
            step += 1
""",
    "GD621 buffer healthy": """\
import torch
import torch.nn.functional as F
def train(model, loader, opt, k):
    buffer = []
    for x, y in loader:
        loss = F.mse_loss(model(x), y)
        buffer.append(loss)
        if len(buffer) == k:
            opt.zero_grad()
            torch.stack(buffer).mean().backward()
            opt.step()
            buffer.clear()
""",
    "GD621 eval list healthy": """\
import torch
import torch.nn.functional as F
def train(model, loader, val, opt):
    vals = []
    for x, y in loader:
        loss = F.mse_loss(model(x), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
        with torch.no_grad():
            loss = F.mse_loss(model(val[0]), val[1])
        vals.append(loss)
    return vals
""",
    "GD621 counts healthy": """\
import torch
import torch.nn.functional as F
def train(model, loader, opt):
    n, beta_sum, reg_weights = 0, 0.0, []
    for x, y, reg_weight in loader:
        aux = model.aux_weight(x)
        main_loss = F.mse_loss(model(x), y)
        loss = main_loss + reg_weight * aux.mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
        n += len(x)
        reg_weights.append(reg_weight)
    return n
""",
    "GD626 callback healthy": """\
import torch
def f(model, loader, opt):
    for x in loader:
        a, b = model(x)
        opt.zero_grad()
        a.mean().backward(retain_graph=True)
        b.mean().backward()
        opt.step()
""",
    "GD621 meter": """\
import torch
import torch.nn.functional as F
class AverageMeter:
    def __init__(self):
        self.reset()
    def reset(self):
        self.sum, self.count, self.val = 0, 0, 0
    def update(self, val, n=1):
        self.val = val
        self.sum += val * n
        self.count += n
        self.avg = self.sum / self.count
def train(model, loader, opt):
    losses = AverageMeter()
    for x, y in loader:
        loss = F.cross_entropy(model(x), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
        losses.update(loss, x.size(0))  # here
    return losses.avg
""",
    "GD621 meter healthy": """\
import torch
import torch.nn.functional as F
class AverageMeter:
    def __init__(self):
        self.sum, self.count, self.val = 0, 0, 0
    def update(self, val, n=1):
        self.val = val
        self.sum += val * n
        self.count += n
class Safe:
    def __init__(self):
        self.sum = 0
    def update(self, val, n=1):
        val = val.item()
        self.sum += val * n
def train(model, loader, opt):
    losses, safe = AverageMeter(), Safe()
    for x, y in loader:
        loss = F.cross_entropy(model(x), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
        losses.update(loss.item(), x.size(0))
        safe.update(loss)
    return losses.sum
""",
    "GD621 nested epochs": """\
import torch
from torch import nn
def fit(model, loader, optim, loss_func, epochs):
    all_losses = []
    for _ in range(epochs):
        epoch_losses = []
        for xb, yb in loader:
            pred = model(xb)
            loss = loss_func(pred, yb)
            optim.zero_grad()
            loss.backward()
            optim.step()
            epoch_losses.append(loss)  # here
        all_losses.append(torch.stack(epoch_losses).mean())
    return all_losses
""",
    "GD621 weighted sum with len": """\
import torch
def fit(model, loader, optim, loss_func):
    cum = 0.
    for i, (xb, yb) in enumerate(loader, 1):
        loss = loss_func(model(xb), yb)
        optim.zero_grad()
        loss.backward()
        optim.step()
        cum += len(xb) * loss  # here
    return cum
""",
    "GD621 clone": """\
import torch
def fit(model, loader, optim, loss_func):
    hist = []
    for xb, yb in loader:
        loss = loss_func(model(xb), yb)
        optim.zero_grad()
        loss.backward()
        optim.step()
        hist.append(loss.clone())  # here
    return hist
""",
    "GD621 cpu": """\
import torch
def fit(model, loader, optim, loss_func):
    hist = []
    for xb, yb in loader:
        loss = loss_func(model(xb), yb)
        optim.zero_grad()
        loss.backward()
        optim.step()
        hist.append(loss.cpu())  # here
    return hist
""",
    "GD621 running avg formula": """\
import torch
def fit(model, loader, optim, loss_func):
    avg_loss = 0
    for i, (xb, yb) in enumerate(loader):
        loss = loss_func(model(xb), yb)
        optim.zero_grad()
        loss.backward()
        optim.step()
        avg_loss = (avg_loss * i + loss) / (i + 1)  # here
    return avg_loss
""",
    "GD645 module weight": """\
import torch
from torch import nn
class W:
    def __init__(self, m):
        self.m = m
        self.optim = torch.optim.Adam(m.parameters())
        self.bce = nn.BCEWithLogitsLoss(reduction="none")
    def fit_batch(self, x, y, mask):
        per_label = self.bce(self.m(x), y)
        per_label = per_label.masked_fill(~mask, 0.0)
        self.optim.zero_grad()
        per_label.backward()  # here
        self.optim.step()
""",
    "GD626 accumulate list healthy": """\
import torch
def f(model, xs, opt):
    opt.zero_grad()
    h = model.encode(xs)
    for i in range(3):
        loss = model.head(h, i)
        loss.backward(retain_graph=True)
    opt.step()
""",
    "GD626 lstm reset": """\
import torch
import torch.nn.functional as F
def train(lstm, head, chunks, opt):
    for chunk, target in chunks:
        hidden = (torch.zeros(1, 4, 8), torch.zeros(1, 4, 8))
        out, hidden = lstm(chunk, hidden)
        loss = F.mse_loss(head(out), target)
        opt.zero_grad()
        loss.backward(retain_graph=True)  # here
        opt.step()
""",
    "GD621 train eval branches healthy": """\
import torch
from torch import nn
def main(model, train, test, opt, crit):
    history = []
    for epoch in range(3):
        total = 0.0
        for x, y in train:
            loss = crit(model(x), y)
            opt.zero_grad()
            loss.backward()
            opt.step()
            total += loss.item()
        history.append(total / len(train))
    return history
""",
    "GD645 mean later healthy": """\
import torch
import torch.nn.functional as F
def weighted(logits, y, w):
    ce = F.cross_entropy(logits, y, reduction="none")
    return (ce * w).sum() / w.sum()
def step(model, x, y, w, opt):
    loss = weighted(model(x), y, w)
    opt.zero_grad()
    loss.backward()
    opt.step()
""",
    "GD645 reduce switch healthy": """\
import torch
import torch.nn.functional as F
class L:
    def loss(self, x, y, reduce=True):
        l = F.mse_loss(self.m(x), y, reduction="none")
        return l.mean() if reduce else l
    def step(self, x, y):
        loss = self.loss(x, y)
        self.opt.zero_grad()
        loss.backward()
        self.opt.step()
""",
}


@pytest.mark.parametrize(("name", "text"), CASES.items(), ids=CASES)
def test_what_is_marked_is_told_and_nothing_else(name: str, text: str) -> None:
    """The rule reports the marked lines and no other; a healthy text has none."""
    assert lines_of(name[:5], text) == marked(text)
