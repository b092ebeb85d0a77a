"""GD627 and GD628: graphs that are missing, and graphs that nobody needs."""

from __future__ import annotations

import pytest

from tests.defects.marks import marked
from tests.defects.scanning import lines_of

CASES = {
    "GD627 inference logits": """\
import torch
import torch.nn.functional as F
def train(model, loader, opt):
    for x, y in loader:
        with torch.inference_mode():
            out = model(x)
        loss = F.cross_entropy(out.view(-1, out.size(-1)), y.view(-1))
        loss.backward()  # here
        opt.step()
""",
    "GD627 set_grad": """\
import torch
from torch import nn
def train(model, loader, optimizer):
    criterion = nn.CrossEntropyLoss()
    torch.set_grad_enabled(False)
    for x, y in loader:
        optimizer.zero_grad()
        loss = criterion(model(x), y)  # here
        loss.backward()
        optimizer.step()
""",
    "GD627 set_grad with": """\
import torch
from torch import nn
def train(model, loader, optimizer, criterion):
    for images, labels in loader:
        images, labels = images.to("cuda"), labels.to("cuda")
        optimizer.zero_grad()
        with torch.set_grad_enabled(False):
            outputs = model(images)
            _, preds = torch.max(outputs, 1)
        loss = criterion(outputs, labels)
        loss.backward()  # here
        optimizer.step()
""",
    "GD627 decorated helper forward": """\
import torch
from torch import nn
import torch.nn.functional as F
class T:
    def __init__(self, model):
        self.model = model
        self.opt = torch.optim.Adam(model.parameters())
    @torch.no_grad()
    def predict(self, x):
        return self.model(x)
    def step(self, batch):
        x, y = batch
        logits = self.predict(x)
        loss = F.mse_loss(logits, y)
        self.opt.zero_grad()
        loss.backward()  # here
        self.opt.step()
""",
    "GD627 decorated train function": """\
import torch
import torch.nn.functional as F
@torch.no_grad()
def train_epoch(model, loader, opt):
    for x, y in loader:
        loss = F.cross_entropy(model(x), y)  # here
        opt.zero_grad()
        loss.backward()
        opt.step()
""",
    "GD627 amp": """\
import torch
import torch.nn.functional as F
def train(model, loader, opt, scaler):
    for x, y in loader:
        with torch.no_grad(), torch.autocast("cuda"):
            logits = model(x)
            loss = F.cross_entropy(logits, y)  # here
        scaler.scale(loss).backward()
        scaler.step(opt)
        scaler.update()
""",
    "GD627 module fn": """\
import torch
import torch.nn.functional as F
@torch.no_grad()
def get_features(model, x):
    return model(x)
def train(model, loader, opt):
    for x, y in loader:
        z = get_features(model, x)
        loss = -(F.log_softmax(z, -1) * F.one_hot(y, 10)).sum(-1).mean()
        loss.backward()  # here
        opt.step()
""",
    "GD627 head trained on frozen": """\
import torch
import torch.nn.functional as F
@torch.no_grad()
def get_features(model, x):
    return model(x)
def train(model, head, loader, opt):
    for x, y in loader:
        z = get_features(model, x)
        loss = F.cross_entropy(head(z), y)
        loss.backward()
        opt.step()
""",
    "GD627 hf": """\
import torch
def train(model, loader, optimizer):
    for batch in loader:
        with torch.no_grad():
            outputs = model(**batch)
        loss = outputs.loss
        loss.backward()  # here
        optimizer.step()
        optimizer.zero_grad()
""",
    "GD627 distill healthy": """\
import torch
import torch.nn.functional as F
def train(student, teacher, loader, opt, T):
    for x, y in loader:
        with torch.no_grad():
            t = teacher(x)
        s = student(x)
        loss = F.kl_div(F.log_softmax(s / T, -1), F.softmax(t / T, -1), reduction="batchmean")
        loss = loss + F.cross_entropy(s, y)
        loss.backward()
        opt.step()
""",
    "GD627 ppo healthy": """\
import torch
import torch.nn.functional as F
def train(policy, value, loader, opt):
    for s, a, r in loader:
        with torch.no_grad():
            old = policy(s).log_softmax(-1).gather(1, a)
            adv = r - value(s)
        new = policy(s).log_softmax(-1).gather(1, a)
        ratio = (new - old).exp()
        loss = -(ratio * adv).mean()
        loss.backward()
        opt.step()
""",
    "GD627 phase healthy": """\
import torch
def train(model, loaders, criterion, optimizer):
    for phase in ("train", "val"):
        for x, y in loaders[phase]:
            optimizer.zero_grad()
            with torch.set_grad_enabled(phase == "train"):
                out = model(x)
                loss = criterion(out, y)
                if phase == "train":
                    loss.backward()
                    optimizer.step()
""",
    "GD627 set false for eval healthy": """\
import torch
def run(model, loader, val, criterion, optimizer):
    for epoch in range(3):
        torch.set_grad_enabled(True)
        for x, y in loader:
            optimizer.zero_grad()
            loss = criterion(model(x), y)
            loss.backward()
            optimizer.step()
        torch.set_grad_enabled(False)
        for x, y in val:
            print(criterion(model(x), y).item())
""",
    "GD627 latent optimised healthy": """\
import torch
import torch.nn.functional as F
def invert(gen, target, steps):
    with torch.no_grad():
        z = torch.randn(1, 10)
    z.requires_grad_(True)
    opt = torch.optim.Adam([z], lr=0.1)
    for _ in range(steps):
        loss = F.mse_loss(gen(z), target)
        opt.zero_grad()
        loss.backward()
        opt.step()
""",
    "GD627 adversarial healthy": """\
import torch
import torch.nn.functional as F
def attack(model, x, y):
    with torch.no_grad():
        delta = torch.empty_like(x).uniform_(-1, 1)
    delta.requires_grad = True
    loss = F.cross_entropy(model(x + delta), y)
    loss.backward()
    return delta.grad.sign()
""",
    "GD627 params loss healthy": """\
import torch
import torch.nn.functional as F
def fit(w, x, y):
    opt = torch.optim.SGD([w], lr=0.1)
    for _ in range(10):
        with torch.no_grad():
            base = x @ x.T
        loss = F.mse_loss(base @ w, y)
        loss.backward()
        opt.step()
""",
    "GD627 two ways healthy": """\
import torch
import torch.nn.functional as F
def fit(model, loader, opt, frozen):
    for x, y in loader:
        if frozen:
            with torch.no_grad():
                out = model(x)
        else:
            out = model(x)
        loss = F.cross_entropy(out, y)
        if not frozen:
            loss.backward()
            opt.step()
""",
    "GD627 manual backward lightning": """\
import torch
import pytorch_lightning as pl
import torch.nn.functional as F
class L(pl.LightningModule):
    def training_step(self, batch, idx):
        x, y = batch
        opt = self.optimizers()
        with torch.no_grad():
            y_hat = self(x)
        loss = F.mse_loss(y_hat, y)
        opt.zero_grad()
        self.manual_backward(loss)  # here
        opt.step()
""",
    "GD627 in the model compute loss": """\
import torch
from torch import nn
import torch.nn.functional as F
class M(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 4)
    def forward(self, x):
        return self.fc(x)
    def compute_loss(self, x, y):
        with torch.no_grad():
            logits = self(x)
        return F.cross_entropy(logits, y)
def train(loader):
    model = M()
    opt = torch.optim.SGD(model.parameters(), lr=1e-1)
    for x, y in loader:
        loss = model.compute_loss(x, y)
        opt.zero_grad()
        loss.backward()  # here
        opt.step()
""",
    "GD627 list of losses": """\
import torch
import torch.nn.functional as F
def train(models, x, y, opt):
    with torch.no_grad():
        outs = [m(x) for m in models]
    loss = torch.stack([F.cross_entropy(o, y) for o in outs]).mean()
    opt.zero_grad()
    loss.backward()  # here
    opt.step()
""",
    "GD627 enter_context": """\
import torch
import torch.nn.functional as F
def train(model, loader, opt):
    no_grad = torch.no_grad()
    for x, y in loader:
        with no_grad:
            p = model(x)
        opt.zero_grad()
        F.binary_cross_entropy_with_logits(p.squeeze(1), y.float()).backward()  # here
        opt.step()
""",
    "GD627 function in a closure": """\
import torch
import torch.nn.functional as F
def train(model, x, y):
    opt = torch.optim.LBFGS(model.parameters())
    def closure():
        opt.zero_grad()
        with torch.no_grad():
            out = model(x)
        loss = F.mse_loss(out, y)
        loss.backward()  # here
        return loss
    opt.step(closure)
""",
    "GD627 script": """\
import torch
import torch.nn.functional as F
from data import loader
model = torch.nn.Linear(3, 4)
opt = torch.optim.SGD(model.parameters(), lr=1e-1)
for x, y in loader:
    with torch.no_grad():
        out = model(x)
    loss = F.cross_entropy(out, y)
    loss.backward()  # here
    opt.step()
""",
    "GD627 inner module": """\
import torch
import torch.nn.functional as F
def run(net, data, lr):
    opt = torch.optim.SGD(net.parameters(), lr=lr)
    def step(batch):
        inp, target = batch["input"], batch["target"]
        with torch.inference_mode():
            pred = net(inp)
        err = (pred - target).pow(2).mean()
        opt.zero_grad()
        err.backward()  # here
        opt.step()
        return err.item()
    return [step(b) for b in data]
""",
    "GD628 any name": """\
import torch
def run_test_set(model, loader):
    model.eval()
    right = n = 0
    for x, y in loader:
        out = model(x)  # here
        right += (out.argmax(1) == y).sum().item()
        n += len(y)
    return right / n
""",
    "GD628 attr": """\
import torch
from torch import nn
class Trainer:
    def __init__(self, net, loader):
        self.net = net
        self.loader = loader
        self.crit = nn.CrossEntropyLoss()
    def train(self):
        opt = torch.optim.Adam(self.net.parameters())
        for x, y in self.loader:
            opt.zero_grad()
            self.crit(self.net(x), y).backward()
            opt.step()
    def validate(self, loader):
        self.net.eval()
        total = 0
        for x, y in loader:
            total += self.crit(self.net(x), y).item()  # here
        return total / len(loader)
""",
    "GD628 comprehension": """\
import torch
import torch.nn.functional as F
def evaluate(model, loader):
    model.eval()
    return sum(F.cross_entropy(model(x), y).item() for x, y in loader) / len(loader)  # here
""",
    "GD628 called under no_grad healthy": """\
import torch
import torch.nn.functional as F
def score_all(model, loader):
    model.eval()
    return sum(F.cross_entropy(model(x), y).item() for x, y in loader) / len(loader)
def main(model, loader):
    with torch.no_grad():
        print(score_all(model, loader))
""",
    "GD628 maml healthy": """\
import torch
import torch.nn.functional as F
def evaluate(model, tasks):
    loss, acc = 0, 0
    for x, y in tasks:
        out = model(x)
        loss = loss + F.cross_entropy(out, y)
        acc += (out.argmax(1) == y).float().mean()
    return loss, acc
""",
    "GD628 saliency healthy": """\
import torch
import torch.nn.functional as F
def attack_all(model, loader):
    model.eval()
    wrong = 0
    for x, y in loader:
        x.requires_grad = True
        F.cross_entropy(model(x), y).backward()
        x2 = x + 0.1 * x.grad.sign()
        wrong += (model(x2).argmax(1) != y).sum().item()
    return wrong
""",
    "GD628 generate healthy": """\
import torch
def generate_text(model, ids, n):
    model.eval()
    for _ in range(n):
        logits = model(ids)[:, -1]
        nxt = torch.multinomial(logits.softmax(-1), 1)
        ids = torch.cat([ids, nxt], 1)
        print(nxt.item())
    return ids
""",
    "GD628 loop over eval dict": """\
import torch
import torch.nn.functional as F
def check_accuracy(loader, model, device):
    num_correct = 0
    num_samples = 0
    model.eval()
    for x, y in loader:
        x = x.to(device)
        scores = model(x)  # here
        _, predictions = scores.max(1)
        num_correct += (predictions == y).sum()
        num_samples += predictions.size(0)
    print(f"{float(num_correct) / float(num_samples)}")
    model.train()
""",
    "GD628 helper": """\
import torch
import torch.nn.functional as F
def batch_loss(model, x, y):
    return F.mse_loss(model(x), y).item()  # here
def evaluate(model, loader):
    model.eval()
    losses = [batch_loss(model, x, y) for x, y in loader]
    return sum(losses) / len(losses)
""",
    "GD628 lit healthy": """\
import torch
import pytorch_lightning as pl
import torch.nn.functional as F
class L(pl.LightningModule):
    def validation_step(self, batch, idx):
        x, y = batch
        self.eval()
        return F.mse_loss(self(x), y).item()
""",
    "GD627 self criterion given": """\
import torch
class T:
    def __init__(self, model, criterion, opt):
        self.model, self.criterion, self.opt = model, criterion, opt
    def step(self, x, y):
        with torch.no_grad():
            out = self.model(x)
        loss = self.criterion(out, y)
        self.opt.zero_grad()
        loss.backward()  # here
        self.opt.step()
""",
    "GD628 script": """\
import torch
from torch import nn
from data import train_loader, test_loader, model
opt = torch.optim.SGD(model.parameters(), lr=0.1)
crit = nn.CrossEntropyLoss()
for epoch in range(3):
    model.train()
    for x, y in train_loader:
        opt.zero_grad()
        crit(model(x), y).backward()
        opt.step()
    model.eval()
    right = 0
    for x, y in test_loader:
        out = model(x)  # here
        right += (out.argmax(1) == y).sum().item()
    print(right)
""",
    "GD628 script healthy": """\
import torch
from torch import nn
from data import train_loader, test_loader, model
opt = torch.optim.SGD(model.parameters(), lr=0.1)
crit = nn.CrossEntropyLoss()
for epoch in range(3):
    model.train()
    for x, y in train_loader:
        opt.zero_grad()
        crit(model(x), y).backward()
        opt.step()
    model.eval()
    right = 0
    with torch.no_grad():
        for x, y in test_loader:
            out = model(x)
            right += (out.argmax(1) == y).sum().item()
    print(right)
""",
    "GD628 bn frozen healthy": """\
import torch
from torch import nn
def finetune(model, loader, opt):
    model.eval()
    for x, y in loader:
        opt.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        opt.step()
        print(loss.item())
""",
    "GD628 both phases": """\
import torch
from torch import nn
def fit(net, train, val, opt, crit):
    for epoch in range(10):
        net.train()
        for x, y in train:
            opt.zero_grad()
            crit(net(x), y).backward()
            opt.step()
        net.eval()
        total = 0.0
        for x, y in val:
            total += crit(net(x), y).item()  # here
        print(total)
""",
    "GD627 a weight behind frozen features healthy": """\
import torch
from torch import nn
import torch.nn.functional as F
def probe(model, loader):
    w = nn.Parameter(torch.zeros(8, 3))
    opt = torch.optim.SGD([w], lr=0.1)
    for x, y in loader:
        with torch.no_grad():
            f = model(x)
        loss = F.cross_entropy(f @ w, y)
        opt.zero_grad()
        loss.backward()
        opt.step()
""",
    "GD627 reparametrised healthy": """\
import torch
import torch.nn.functional as F
def fit(posterior, decoder, x, opt):
    with torch.no_grad():
        base = decoder(x)
    z = posterior.rsample()
    loss = F.mse_loss(base, z)
    opt.zero_grad()
    loss.backward()
    opt.step()
""",
    "GD627 val copy paste": """\
import torch
from torch import nn
class Exp:
    def __init__(self, net, device):
        self.net = net.to(device)
        self.device = device
        self.optimizer = torch.optim.Adam(self.net.parameters())
        self.loss_fn = nn.CrossEntropyLoss()
    def _forward(self, batch):
        with torch.no_grad():
            inputs, labels = batch["image"].to(self.device), batch["label"].to(self.device)
            outputs = self.net(inputs)
        return outputs, labels
    def train_epoch(self, loader):
        for batch in loader:
            outputs, labels = self._forward(batch)
            loss = self.loss_fn(outputs, labels)
            self.optimizer.zero_grad()
            loss.backward()  # here
            self.optimizer.step()
""",
    "GD627 global switch": """\
import torch
from torch import nn
def evaluate(model, loader):
    torch.set_grad_enabled(False)
    return [model(x) for x in loader]
def fit(model, loader, val, opt):
    for epoch in range(3):
        for x, y in loader:
            loss = nn.functional.mse_loss(model(x), y)
            loss.backward()
            opt.step()
        evaluate(model, val)
""",
    "GD627 nested function with decorator": """\
import torch
from torch import nn
def fit(model, loader, opt):
    @torch.no_grad()
    def compute_loss(x, y):
        pred = model(x)
        return nn.functional.mse_loss(pred, y)
    for x, y in loader:
        opt.zero_grad()
        loss = compute_loss(x, y)
        loss.backward()  # here
        opt.step()
""",
    "GD627 accumulated in block": """\
import torch
from torch import nn
def fit(model, loader, opt):
    for batch in loader:
        total = 0.0
        with torch.no_grad():
            for x, y in batch:
                total = total + nn.functional.mse_loss(model(x), y)
        opt.zero_grad()
        (total / len(batch)).backward()  # here
        opt.step()
""",
    "GD628 lm": """\
import math
import torch
import torch.nn.functional as F
def eval_ppl(gpt, tokens, ctx):
    gpt.eval()
    nlls = []
    for i in range(0, len(tokens) - 1, ctx):
        x = tokens[i:i + ctx][None]
        logits = gpt(x)[:, :-1]  # here
        nlls.append(F.cross_entropy(logits.flatten(0, 1), x[:, 1:].flatten()).item())
    return math.exp(sum(nlls) / len(nlls))
""",
    "GD628 hf eval": """\
import torch
class Runner:
    def __init__(self, model, loader):
        self.model = model
        self.loader = loader
    def run_eval(self):
        self.model.eval()
        loss, n = 0.0, 0
        for batch in self.loader:
            out = self.model(**batch)  # here
            loss += out.loss.item()
            n += 1
        self.model.train()
        return loss / n
""",
    "GD627 ddpg healthy": """\
import torch
import torch.nn.functional as F
class Agent:
    def __init__(self, actor, critic, target):
        self.actor, self.critic, self.target = actor, critic, target
        self.opt = torch.optim.Adam(critic.parameters())
    @torch.no_grad()
    def td_target(self, r, s2, d):
        return r + 0.99 * (1 - d) * self.target(s2, self.actor(s2))
    def update(self, batch):
        s, a, r, s2, d = batch
        y = self.td_target(r, s2, d)
        q = self.critic(s, a)
        loss = F.mse_loss(q, y)
        self.opt.zero_grad()
        loss.backward()
        self.opt.step()
""",
    "GD627 moco healthy": """\
import torch
import torch.nn.functional as F
def train(enc_q, enc_k, queue, loader, opt, T=0.07):
    for a, b in loader:
        q = F.normalize(enc_q(a), dim=1)
        with torch.no_grad():
            k = F.normalize(enc_k(b), dim=1)
        pos = (q * k).sum(1, keepdim=True)
        neg = q @ queue.t()
        logits = torch.cat([pos, neg], 1) / T
        loss = F.cross_entropy(logits, torch.zeros(len(a), dtype=torch.long))
        opt.zero_grad()
        loss.backward()
        opt.step()
""",
    "GD627 frozen encoder list healthy": """\
import torch
import torch.nn.functional as F
def train(enc, heads, loader, opt):
    for x, ys in loader:
        with torch.no_grad():
            z = enc(x)
        losses = []
        for head, y in zip(heads, ys):
            losses.append(F.cross_entropy(head(z), y))
        loss = torch.stack(losses).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
""",
    "GD627 prompt tuning healthy": """\
import torch
import torch.nn.functional as F
class P(torch.nn.Module):
    def __init__(self, lm, n, d):
        super().__init__()
        self.lm = lm
        self.prompt = torch.nn.Parameter(torch.randn(n, d))
def train(p, loader):
    opt = torch.optim.Adam([p.prompt])
    for ids, y in loader:
        with torch.no_grad():
            e = p.lm.embed(ids)
        e = torch.cat([p.prompt.expand(len(ids), -1, -1), e], 1)
        loss = F.cross_entropy(p.lm(e), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
""",
    "GD627 weights by attribute healthy": """\
import torch
import torch.nn.functional as F
def train(p, loader, opt):
    for x, y in loader:
        with torch.no_grad():
            f = p.backbone(x)
        loss = F.mse_loss(f * p.scale, y)
        opt.zero_grad()
        loss.backward()
        opt.step()
""",
    "GD627 eval in the same loop healthy": """\
import torch
import torch.nn.functional as F
def train(model, loader, val, opt):
    for x, y in loader:
        loss = F.cross_entropy(model(x), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
        with torch.no_grad():
            loss = F.cross_entropy(model(x), y)
            print(loss.item())
""",
    "GD627 grad checkpoint healthy": """\
import torch
import torch.nn.functional as F
from torch.utils.checkpoint import checkpoint
def train(model, loader, opt):
    for x, y in loader:
        with torch.no_grad():
            h = model.stem(x)
        out = checkpoint(model.body, h)
        F.cross_entropy(out, y).backward()
        opt.step()
""",
    "GD627 input gradient healthy": """\
import torch
import torch.nn.functional as F
def dream(model, img, opt, target):
    img.requires_grad_()
    with torch.no_grad():
        goal = model(target)
    for _ in range(3):
        loss = F.mse_loss(img, goal)
        loss.backward()
        opt.step()
""",
    "GD627 gradient cache healthy": """\
import torch
import torch.nn.functional as F
def step(enc, chunks, opt):
    with torch.no_grad():
        reps = [enc(c) for c in chunks]
    reps = torch.cat(reps).detach().requires_grad_()
    loss = (reps @ reps.t()).log_softmax(1).diag().neg().mean()
    loss.backward()
    opt.step()
""",
    "GD627 gradient cache in two names healthy": """\
import torch
import torch.nn.functional as F
def step(enc, chunks, opt):
    with torch.no_grad():
        raw = torch.cat([enc(c) for c in chunks])
    leaf = raw.clone()
    leaf.requires_grad = True
    loss = F.mse_loss(leaf, leaf.flip(0))
    loss.backward()
    opt.step()
""",
    "GD628 tta healthy": """\
import torch
def adapt_all(model, loader):
    model.eval()
    out = []
    for x in loader:
        p = model(x).softmax(-1)
        ent = -(p * p.clamp_min(1e-9).log()).sum(-1).mean()
        torch.autograd.grad(ent, list(model.parameters()))
        out.append(ent.item())
    return out
""",
    "GD628 returns features healthy": """\
import torch
def features(model, loader):
    model.eval()
    return torch.cat([model(x) for x in loader])
""",
    "GD627 head with a loss of its own healthy": """\
import torch
def train(backbone, head, loader, opt):
    for x, y in loader:
        with torch.no_grad():
            f = backbone(x)
        loss = head.loss(f, y)
        opt.zero_grad()
        loss.backward()
        opt.step()
""",
    "GD627 dice in sight": """\
import torch
def dice_loss(p, y, eps=1.0):
    inter = (p * y).sum()
    return 1 - (2 * inter + eps) / (p.sum() + y.sum() + eps)
def train(net, loader, opt):
    for x, mask in loader:
        with torch.inference_mode():
            p = net(x).sigmoid()
        loss = dice_loss(p, mask)
        opt.zero_grad()
        loss.backward()  # here
        opt.step()
""",
    "GD627 focal class": """\
import torch
from torch import nn
import torch.nn.functional as F
class Focal(nn.Module):
    def __init__(self, gamma=2.0):
        super().__init__()
        self.gamma = gamma
    def forward(self, logits, target):
        ce = F.cross_entropy(logits, target, reduction="none")
        return ((1 - torch.exp(-ce)) ** self.gamma * ce).mean()
def train(net, loader, opt):
    criterion = Focal()
    for x, y in loader:
        opt.zero_grad()
        with torch.no_grad():
            logits = net(x)
        loss = criterion(logits, y)
        loss.backward()  # here
        opt.step()
""",
    "GD627 arcface healthy": """\
import torch
from torch import nn
import torch.nn.functional as F
class Arc(nn.Module):
    def __init__(self, d, k):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(k, d))
    def forward(self, f, target):
        return F.cross_entropy(F.linear(F.normalize(f), F.normalize(self.weight)) * 30, target)
def train(net, loader):
    criterion = Arc(3, 4)
    opt = torch.optim.SGD(criterion.parameters(), lr=0.1)
    for x, y in loader:
        opt.zero_grad()
        with torch.no_grad():
            f = net(x)
        loss = criterion(f, y)
        loss.backward()
        opt.step()
""",
    "GD627 inside the model's own step": """\
import torch
import pytorch_lightning as pl
from torch.nn import functional as F
class M(pl.LightningModule):
    def __init__(self, net):
        super().__init__()
        self.automatic_optimization = False
        self.net = net
    def shared(self, batch):
        x, y = batch
        with torch.no_grad():
            out = self.net(x)
        return F.cross_entropy(out, y), out
    def training_step(self, batch, i):
        opt = self.optimizers()
        loss, out = self.shared(batch)
        opt.zero_grad()
        self.manual_backward(loss)  # here
        opt.step()
""",
    "GD627 accelerate": """\
import torch
import torch.nn.functional as F
def train(model, dl, opt, accelerator):
    for batch in dl:
        with torch.no_grad():
            pred = model(batch["pixel_values"])
        loss = F.mse_loss(pred.float(), batch["target"].float(), reduction="mean")
        accelerator.backward(loss)  # here
        opt.step()
        opt.zero_grad()
""",
    "GD627 a model that is off by itself healthy": """\
import torch
from torch import nn
class Frozen(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.body = nn.Linear(width, width)
    def forward(self, x):
        with torch.inference_mode():
            return self.body(x)
def fit(net, loader):
    opt = torch.optim.SGD(net.parameters(), lr=0.1)
    for batch in loader:
        net(batch).mean().backward()
        opt.step()
        opt.zero_grad()
""",
    "GD628 zip lists": """\
import torch
class V:
    def __init__(self, net, criterion):
        self.net = net
        self.criterion = criterion
    def validate_epoch(self, dl):
        self.net.eval()
        losses = []
        for batch in dl:
            x, y = batch["x"], batch["y"]
            yhat = self.net(x)  # here
            losses.append(self.criterion(yhat, y).item())
        return sum(losses) / len(losses)
""",
    "GD628 model from script global": """\
import torch
from net import model, crit
def validate(loader):
    model.eval()
    tot = 0
    for x, y in loader:
        tot += crit(model(x), y).item()  # here
    return tot
""",
    "GD628 script with cat elsewhere": """\
import torch
from torch import nn
from data import train_loader, test_loader
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(3, 2), nn.Linear(3, 2)
    def forward(self, x):
        return torch.cat([self.a(x), self.b(x)], -1)
net = Net()
opt = torch.optim.SGD(net.parameters(), lr=0.1)
for x, y in train_loader:
    opt.zero_grad()
    nn.functional.cross_entropy(net(x), y).backward()
    opt.step()
net.eval()
correct = 0
for x, y in test_loader:
    correct += (net(x).argmax(-1) == y).sum().item()  # here
print(correct)
""",
    "GD628 main function": """\
import torch
from torch import nn
from net import Net, loaders
def main():
    train, test = loaders()
    model = Net()
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    for epoch in range(3):
        for x, y in train:
            opt.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            opt.step()
        model.eval()
        hits = 0
        for x, y in test:
            hits += (model(x).argmax(-1) == y).sum().item()  # here
        print(hits)
        model.train()
""",
    "GD628 main function healthy": """\
import torch
from torch import nn
from net import Net, loaders
def main():
    train, test = loaders()
    model = Net()
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    for epoch in range(3):
        for x, y in train:
            opt.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            opt.step()
        model.eval()
        hits = 0
        for x, y in test:
            with torch.no_grad():
                hits += (model(x).argmax(-1) == y).sum().item()
        print(hits)
        model.train()
""",
    "GD627 eval phase healthy": """\
import torch
from torch import nn
def main(model, train, test, opt, crit):
    for epoch in range(3):
        for split, loader in (("train", train), ("test", test)):
            total = 0.0
            for x, y in loader:
                if split == "train":
                    loss = crit(model(x), y)
                    opt.zero_grad()
                    loss.backward()
                    opt.step()
                else:
                    with torch.no_grad():
                        loss = crit(model(x), y)
                total += loss.item()
""",
    "GD627 contextlib": """\
import torch
from torch import nn
from contextlib import nullcontext
def run(model, loader, opt, crit, amp):
    ctx = torch.autocast("cuda") if amp else nullcontext()
    for x, y in loader:
        with ctx:
            loss = crit(model(x), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
""",
    "GD627 flagged step": """\
import torch
class T:
    def _step(self, batch, train):
        x, y = batch
        with torch.set_grad_enabled(train):
            loss = self.crit(self.model(x), y)
        return loss
    def fit(self, dl):
        for batch in dl:
            loss = self._step(batch, True)
            self.opt.zero_grad()
            loss.backward()
            self.opt.step()
""",
}


@pytest.mark.parametrize(("name", "text"), CASES.items(), ids=CASES)
def test_what_is_marked_is_told_and_nothing_else(name: str, text: str) -> None:
    """The rule reports the marked lines and no other; a healthy text has none."""
    assert lines_of(name[:5], text) == marked(text)
