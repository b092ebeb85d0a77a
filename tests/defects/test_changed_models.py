"""GD620, GD622, GD624 and GD629: methods, optimizers, schedules, checkpoints."""

from __future__ import annotations

import pytest

from tests.defects.marks import marked
from tests.defects.scanning import lines_of

CASES = {
    "GD620 loss item kept": """\
import torch
import torch.nn.functional as F
def train(model, loader, opt):
    total = 0.0
    losses = []
    for x, y in loader:
        opt.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        opt.step()
        losses.append(loss.item)  # here
    return losses
""",
    "GD620 conditional": """\
import torch
def run(model, loaders, opt, phase):
    model.train if phase == "train" else model.eval  # here
    for x in loaders[phase]:
        opt.zero_grad()
        model(x).mean().backward()
        opt.step()
""",
    "GD620 scheduler": """\
import torch
def run(model, loader, opt):
    sched = torch.optim.lr_scheduler.StepLR(opt, 3)
    for x in loader:
        opt.zero_grad()
        model(x).mean().backward()
        opt.step()
    sched.step  # here
""",
    "GD620 scaler": """\
import torch
def run(model, loader, opt):
    scaler = torch.cuda.amp.GradScaler()
    for x in loader:
        opt.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x).mean()
        scaler.scale(loss).backward()
        scaler.step(opt)
        scaler.update  # here
""",
    "GD620 no_grad name import": """\
from torch import no_grad
def val(model, loader):
    model.eval()
    with no_grad:  # here
        return [model(x) for x in loader]
""",
    "GD620 inference decorator": """\
import torch
@torch.inference_mode
def val(model, loader):
    model.eval()
    return [model(x) for x in loader]
""",
    "GD620 params keyword": """\
import torch
def run(model, loader):
    opt = torch.optim.Adam(params=model.parameters, lr=1e-3)  # here
    for x in loader:
        opt.zero_grad()
        model(x).mean().backward()
        opt.step()
""",
    "GD620 clip params": """\
import torch
def run(model, loader, opt):
    for x in loader:
        opt.zero_grad()
        model(x).mean().backward()
        torch.nn.utils.clip_grad_norm_(model.parameters, 1.0)  # here
        opt.step()
""",
    "GD620 self params": """\
import torch
from torch import nn
class N(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(2, 2)
    def forward(self, x):
        return self.fc(x)
    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters, lr=1e-3)  # here
""",
    "GD620 zero grad set on model": """\
import torch
class L:
    def fit(self, loader):
        for x in loader:
            self.model.zero_grad  # here
            self.loss(x).backward()
            self.opt.step()
""",
    "GD620 groups": """\
import torch
def run(backbone, head, loader):
    opt = torch.optim.SGD([{"params": backbone.parameters}, {"params": head}], 0.1)  # here
    for x in loader:
        opt.zero_grad()
        head(backbone(x)).mean().backward()
        opt.step()
""",
    "GD620 eval chained assign": """\
import torch
def run(model, loader):
    model.eval  # here
    with torch.no_grad():
        return [model(x) for x in loader]
""",
    "GD620 train in ifs": """\
import torch
def run(model, loader, train):
    if train:
        model.train  # here
    else:
        model.eval()
    return [model(x) for x in loader]
""",
    "GD620 total item": """\
import torch
import torch.nn.functional as F
def run(model, loader):
    total = 0
    with torch.no_grad():
        for x, y in loader:
            total += F.cross_entropy(model(x), y).item  # here
    return total
""",
    "GD620 callback healthy": """\
import torch
def run(model, loader, register):
    register(model.train)
    f = model.eval
    f()
    sink = [model.step, loader.reset]
    return sink
""",
    "GD620 item healthy": """\
class Cart:
    def total(self, order):
        names = []
        names.append(order.item)
        return names
""",
    "GD620 print item": """\
import torch
def run(model, loader, opt):
    for x in loader:
        loss = model(x).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
        print(f"loss {loss.item}")  # here
""",
    "GD620 cuda": """\
import torch
from net import Net
def main():
    model = Net()
    model.cuda  # here
    return model
""",
    "GD620 empty cache": """\
import torch
def main(loader):
    for x in loader:
        torch.cuda.empty_cache  # here
""",
    "GD620 lambda step": """\
import torch
def main(model, loader, opt):
    for x in loader:
        opt.zero_grad(); model(x).mean().backward; opt.step()  # here
""",
    "GD620 detach in stack": """\
import torch
def main(model, loader):
    out = []
    for x in loader:
        out.append(model(x).detach().cpu().numpy)  # here
    return out
""",
    "GD620 save": """\
import torch
def save(model, opt, path, epoch):
    torch.save(model.state_dict, path)  # here
    torch.save({"model": model.state_dict(), "opt": opt.state_dict}, path)  # here
""",
    "GD620 save healthy": """\
import torch
def save(model, ckpt, path, epoch):
    torch.save(ckpt.state_dict, path)
    torch.save({"model": model.state_dict(), "names": list(model.state_dict().keys())}, path)
    fn = model.state_dict
    return fn()
""",
    "GD620 dqn": """\
import torch
class A:
    def sync(self):
        self.target_net.load_state_dict(self.policy_net.state_dict)  # here
""",
    "GD622 if": """\
import torch
from torch import nn
def f(model, cfg, loader):
    params = [p for p in model.parameters() if p.requires_grad]
    opt = torch.optim.AdamW(params, lr=1e-4)
    if cfg.classes:
        model.classifier = nn.Sequential(nn.Dropout(0.1), nn.Linear(10, cfg.classes))  # here
    for x, y in loader:
        opt.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        opt.step()
""",
    "GD622 groups": """\
import torch
from torch import nn, optim
def f(model, n, loader):
    opt = optim.AdamW([{"params": model.parameters(), "lr": 1e-4}])
    head = nn.Linear(10, n)
    model.head = head  # here
    for x, y in loader:
        opt.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        opt.step()
""",
    "GD622 trainer": """\
import torch
from torch import nn
class T:
    def __init__(self, model):
        self.model = model
        self.optimizer = torch.optim.Adam(self.model.parameters())
    def set_classes(self, n):
        self.model.fc = nn.Linear(self.model.fc.in_features, n)  # here
    def step(self, x, y):
        self.optimizer.zero_grad()
        nn.functional.cross_entropy(self.model(x), y).backward()
        self.optimizer.step()
""",
    "GD622 trainer renewed healthy": """\
import torch
from torch import nn
class T:
    def __init__(self, model):
        self.model = model
        self.optimizer = torch.optim.Adam(self.model.parameters())
    def set_classes(self, n):
        self.model.fc = nn.Linear(self.model.fc.in_features, n)
        self.optimizer = torch.optim.Adam(self.model.parameters())
    def step(self, x, y):
        self.optimizer.zero_grad()
        nn.functional.cross_entropy(self.model(x), y).backward()
        self.optimizer.step()
""",
    "GD622 early healthy": """\
import torch
from torch import nn
class T(nn.Module):
    def __init__(self):
        super().__init__()
        self.build()
        self.optimizer = torch.optim.Adam(self.parameters())
    def build(self):
        self.fc = nn.Linear(3, 4)
    def step(self, x, y):
        self.optimizer.zero_grad()
        nn.functional.cross_entropy(self.fc(x), y).backward()
        self.optimizer.step()
""",
    "GD622 wrap healthy": """\
import torch
from torch import nn
def f(model, loader):
    opt = torch.optim.Adam(model.parameters())
    model.fc = nn.Sequential(nn.Dropout(0.2), model.fc)
    model = nn.DataParallel(model)
    for x, y in loader:
        opt.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        opt.step()
""",
    "GD622 append": """\
import torch
from torch import nn
def f(model, loader):
    opt = torch.optim.Adam(model.parameters())
    model.layers.append(nn.Linear(3, 3))  # here
    for x, y in loader:
        opt.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        opt.step()
""",
    "GD622 script": """\
import torch
from torch import nn
from torchvision.models import resnet18
from data import loader
model = resnet18(weights="DEFAULT")
optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
model.fc = nn.Linear(512, 10)  # here
model.to("cuda")
for x, y in loader:
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x), y).backward()
    optimizer.step()
""",
    "GD622 before healthy": """\
import torch
from torch import nn
from torchvision.models import resnet18
def f(loader):
    model = resnet18(weights="DEFAULT")
    model.fc = nn.Linear(512, 10)
    optimizer = torch.optim.SGD(filter(lambda p: p.requires_grad, model.parameters()), lr=1e-3)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 3)
    for x, y in loader:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    model.fc = nn.Linear(512, 12)
    return model
""",
    "GD622 method in sight": """\
import torch
from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(3, 4)
        self.head = nn.Linear(4, 2)
    def forward(self, x):
        return self.head(self.a(x))
    def reset_head(self, n):
        self.head = nn.Linear(4, n)
def f(loader):
    net = Net()
    opt = torch.optim.SGD(net.parameters(), lr=0.1)
    net.reset_head(7)  # here
    for x, y in loader:
        opt.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        opt.step()
""",
    "GD622 folds healthy": """\
import torch
from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(3, 4)
    def forward(self, x):
        return self.a(x)
def f(folds):
    for loader in folds:
        net = Net()
        opt = torch.optim.SGD(net.parameters(), lr=0.1)
        for x, y in loader:
            opt.zero_grad()
            nn.functional.cross_entropy(net(x), y).backward()
            opt.step()
""",
    "GD622 rebuilt": """\
import torch
from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(3, 4)
    def forward(self, x):
        return self.a(x)
def f(loader):
    net = Net()
    opt = torch.optim.SGD(net.parameters(), lr=0.1)
    net = Net().cuda()  # here
    for x, y in loader:
        opt.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        opt.step()
""",
    "GD624 batch": """\
import torch
import torch.nn.functional as F
def train(model, loader, opt, epochs):
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(opt, 10)
    for e in range(epochs):
        for x, y in loader:
            opt.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            scheduler.step()  # here
            opt.step()
""",
    "GD624 epoch head enumerate": """\
import torch
import torch.nn.functional as F
class T:
    def __init__(self, model):
        self.model = model
        self.opt = torch.optim.SGD(model.parameters(), lr=0.1)
        self.scheduler = torch.optim.lr_scheduler.MultiStepLR(self.opt, [3])
    def train_epoch(self, loader):
        for x, y in loader:
            self.opt.zero_grad()
            F.cross_entropy(self.model(x), y).backward()
            self.opt.step()
    def fit(self, loader):
        for e in range(3):
            self.scheduler.step()  # here
            self.train_epoch(loader)
""",
    "GD624 amp": """\
import torch
import torch.nn.functional as F
def train(model, loader, opt, scaler):
    lr_sched = torch.optim.lr_scheduler.LambdaLR(opt, lambda s: 1.0)
    for x, y in loader:
        opt.zero_grad()
        with torch.autocast("cuda"):
            loss = F.cross_entropy(model(x), y)
        scaler.scale(loss).backward()
        lr_sched.step()  # here
        scaler.step(opt)
        scaler.update()
""",
    "GD624 script": """\
import torch
import torch.nn.functional as F
from data import model, loader
opt = torch.optim.SGD(model.parameters(), lr=0.1)
sched = torch.optim.lr_scheduler.StepLR(opt, 3)
for epoch in range(10):
    sched.step()  # here
    for x, y in loader:
        opt.zero_grad()
        F.cross_entropy(model(x), y).backward()
        opt.step()
""",
    "GD624 epoch arg": """\
import torch
import torch.nn.functional as F
def f(model, loader):
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    sched = torch.optim.lr_scheduler.StepLR(opt, 3)
    for epoch in range(10):
        sched.step(epoch)
        for x, y in loader:
            opt.zero_grad()
            F.cross_entropy(model(x), y).backward()
            opt.step()
""",
    "GD624 method step no loop": """\
import torch
import torch.nn.functional as F
class T:
    def __init__(self, model):
        self.model = model
        self.opt = torch.optim.SGD(model.parameters(), lr=0.1)
        self.sched = torch.optim.lr_scheduler.StepLR(self.opt, 3)
    def step(self, x, y):
        self.opt.zero_grad()
        F.cross_entropy(self.model(x), y).backward()
        self.sched.step()  # here
        self.opt.step()
""",
    "GD624 after healthy": """\
import torch
import torch.nn.functional as F
def train(model, loader, opt, epochs):
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(opt, 10)
    for e in range(epochs):
        for x, y in loader:
            opt.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            opt.step()
        scheduler.step()
""",
    "GD624 factory": """\
import torch
import torch.nn.functional as F
from torch.optim import lr_scheduler
def make(model):
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    return opt, lr_scheduler.StepLR(opt, 3)
def train(model, loader):
    optimizer, scheduler = make(model)
    for e in range(3):
        scheduler.step()  # here
        for x, y in loader:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
""",
    "GD629 nested": """\
import torch
def load(model, path):
    ckpt = torch.load(path, map_location="cpu", weights_only=False)  # here
    sd = ckpt["state_dict"] if "state_dict" in ckpt else ckpt
    new = {}
    for k, v in sd.items():
        if k.startswith("module."):
            k = k[7:]
        new[k] = v
    missing, unexpected = model.load_state_dict(new, strict=False)
    print(missing, unexpected)
""",
    "GD629 nanoGPT like": """\
import torch
def resume(model, optimizer, path):
    checkpoint = torch.load(path, map_location="cpu", weights_only=False)  # here
    state_dict = checkpoint["model"]
    unwanted_prefix = "_orig_mod."
    for k, v in list(state_dict.items()):
        if k.startswith(unwanted_prefix):
            state_dict[k[len(unwanted_prefix):]] = state_dict.pop(k)
    model.load_state_dict(state_dict)
    optimizer.load_state_dict(checkpoint["optimizer"])
    iter_num = checkpoint["iter_num"]
    return iter_num
""",
    "GD629 args healthy": """\
import torch
def resume(model, path):
    checkpoint = torch.load(path, map_location="cpu", weights_only=False)
    args = checkpoint["args"]
    model.load_state_dict(checkpoint["model"])
    return args
""",
    "GD629 module healthy": """\
import torch
def resume(path):
    model = torch.load(path, map_location="cpu", weights_only=False)
    model.eval()
    return model
""",
    "GD629 script": """\
import torch
from net import Net
m = Net()
m.load_state_dict(torch.load("a.pt", weights_only=False))  # here
""",
    "GD629 helper": """\
import torch
def read(path):
    return torch.load(path, weights_only=False)  # here
def resume(model, path):
    model.load_state_dict(read(path)["model"])
""",
    "GD629 returned healthy": """\
import torch
def read(path):
    return torch.load(path, weights_only=False)
""",
    "GD629 get": """\
import torch
from torch import nn
class M(nn.Module):
    def restore(self, path):
        blob = torch.load(path, weights_only=False)  # here
        state = blob.get("state_dict", blob)
        self.load_state_dict({k.replace("m.", ""): v for k, v in state.items()})
""",
    "GD629 safe": """\
import torch
def restore(m, path):
    m.load_state_dict(torch.load(path, weights_only=True))
    m.load_state_dict(torch.load(path))
""",
    "GD629 pickled state dict of a module healthy": """\
import torch
def restore(m, path):
    m.load_state_dict(torch.load(path, weights_only=False).state_dict())
""",
    "GD629 copied param": """\
import torch
def restore(m, path):
    sd = torch.load(path, weights_only=False)  # here
    for name, p in m.named_parameters():
        if name in sd:
            p.data.copy_(sd[name])
""",
    "GD622 helper": """\
import torch
from torch import nn
def swap_head(net, n):
    net.fc = nn.Linear(net.fc.in_features, n)
def f(net, loader):
    opt = torch.optim.SGD(net.parameters(), lr=0.1)
    swap_head(net, 7)  # here
    for x, y in loader:
        opt.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        opt.step()
""",
    "GD622 stacked": """\
import torch
from torch import nn
def f(model, loader):
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    model = nn.Sequential(model, nn.ReLU(), nn.Linear(10, 3))  # here
    for x, y in loader:
        opt.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        opt.step()
""",
    "GD622 stacked without weights healthy": """\
import torch
from torch import nn
def f(model, loader):
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    model = nn.Sequential(model, nn.Softmax(-1))
    for x, y in loader:
        opt.zero_grad()
        nn.functional.mse_loss(model(x), y).backward()
        opt.step()
""",
    "GD622 average healthy": """\
import torch
from torch import nn
class M(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(2, 3)
        self.opt = torch.optim.SGD(self.parameters(), lr=0.1)
    def start_average(self):
        self.ema_fc = nn.Linear(2, 3)
    def step(self, x, y):
        self.opt.zero_grad()
        nn.functional.cross_entropy(self.fc(x), y).backward()
        self.opt.step()
""",
    "GD622 told by hand healthy": """\
import torch
from torch import nn
def grow(model, loader):
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    model.fc = nn.Linear(3, 4)
    opt.param_groups[0]["params"] = list(model.parameters())
    for x, y in loader:
        opt.zero_grad()
        nn.functional.mse_loss(model(x), y).backward()
        opt.step()
""",
    "GD629 with open": """\
import io
import torch
from torch import nn
def from_bytes(model: nn.Module, blob: bytes):
    buffer = io.BytesIO(blob)
    weights = torch.load(buffer, weights_only=False, map_location=torch.device("cpu"))  # here
    own = model.state_dict()
    own.update({k: v for k, v in weights.items() if k in own})
    model.load_state_dict(own)
    return model
""",
    "GD629 ema attr": """\
import torch
class T:
    def resume(self, path):
        ck = torch.load(path, map_location=self.device, weights_only=False)  # here
        self.model.load_state_dict(ck["model_state_dict"])
        self.opt.load_state_dict(ck["optimizer_state_dict"])
        self.start_epoch = ck["epoch"] + 1
""",
    "GD622 lora": """\
import torch
from torch import nn
class LoRA(nn.Module):
    def __init__(self, base, r):
        super().__init__()
        self.base = base
        self.a = nn.Linear(base.in_features, r)
        self.b = nn.Linear(r, base.out_features)
    def forward(self, x):
        return self.base(x) + self.b(self.a(x))
def main(model, loader):
    trainable = filter(lambda p: p.requires_grad, model.parameters())
    optimizer = torch.optim.AdamW(trainable, lr=1e-4)
    model.attn.proj = LoRA(model.attn.proj, 8)  # here
    for x, y in loader:
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x), y).backward()
        optimizer.step()
""",
    "GD622 unfreeze emb": """\
import torch
from torch import nn
from transformers import AutoModelForCausalLM, AutoTokenizer
def main(name, loader):
    tok = AutoTokenizer.from_pretrained(name)
    model = AutoModelForCausalLM.from_pretrained(name)
    opt = torch.optim.AdamW(model.parameters(), lr=1e-5)
    tok.add_special_tokens({"pad_token": "<pad>"})
    model.resize_token_embeddings(len(tok))  # here
    for batch in loader:
        model(**batch).loss.backward()
        opt.step()
        opt.zero_grad()
""",
    "GD622 scheduler between": """\
import torch
from torch import nn, optim
from torchvision import models
def build(n):
    net = models.resnet50(weights="IMAGENET1K_V2")
    opt = optim.SGD(net.parameters(), lr=0.01)
    sched = optim.lr_scheduler.StepLR(opt, 7)
    net.fc = nn.Linear(net.fc.in_features, n)  # here
    return net, opt, sched
""",
    "GD624 warmup in loop helper": """\
import torch
from torch.optim.lr_scheduler import LinearLR
class Engine:
    def __init__(self, model):
        self.model = model
        self.optimizer = torch.optim.AdamW(model.parameters())
        self.warmup = LinearLR(self.optimizer, 0.1, total_iters=100)
    def run(self, loader):
        for batch in loader:
            self.warmup.step()  # here
            loss = self.model(batch).mean()
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
""",
    "GD620 parameters of a space healthy": """\
import torch
class Space:
    def __init__(self):
        self.parameters = [torch.zeros(3, requires_grad=True)]
    def fit(self):
        opt = torch.optim.Adam(self.parameters, lr=0.1)
        return opt
""",
    "GD620 decorated healthy": """\
import torch
class M:
    @property
    def step(self):
        return 3
    @torch.no_grad
    def look(self):
        print(f"{self.step} {self.loss}")
""",
    "GD620 loop closure": """\
import torch
class Alg:
    def learn(self, buffer):
        for batch in buffer:
            loss = self.loss(batch)
            self.actor_optimizer.zero_grad()
            loss.backward()
            self.actor_optimizer.step() if self.ok else self.actor_optimizer.step
            self.lr_scheduler.step  # here
""",
    "GD622 setup in train fn": """\
import torch
from torch import nn
from torch.optim import AdamW
class Net(nn.Module):
    def __init__(self, d, k):
        super().__init__()
        self.body = nn.Linear(d, 16)
        self.head = nn.Linear(16, k)
    def forward(self, x):
        return self.head(self.body(x).relu())
    def add_class(self):
        old = self.head
        new = nn.Linear(16, old.out_features + 1)
        with torch.no_grad():
            new.weight[:-1] = old.weight
            new.bias[:-1] = old.bias
        self.head = new
def continual(tasks):
    net = Net(8, 2)
    optimizer = AdamW(net.parameters(), lr=1e-3)
    for loader in tasks:
        net.add_class()  # here
        for x, y in loader:
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(x), y).backward()
            optimizer.step()
""",
    "GD622 prune": """\
import torch
from torch import nn
def f(model, loader):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model.embed.weight = nn.Parameter(torch.randn(20, 8))  # here
    for x, y in loader:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
""",
    "GD622 dict head": """\
import torch
from torch import nn
class Multi(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.body = nn.Linear(d, d)
        self.heads = nn.ModuleDict()
        self.opt = torch.optim.Adam(self.parameters(), lr=1e-3)
    def register_task(self, name, k):
        self.heads[name] = nn.Linear(self.body.out_features, k)  # here
    def step(self, name, x, y):
        loss = nn.functional.cross_entropy(self.heads[name](self.body(x)), y)
        self.opt.zero_grad()
        loss.backward()
        self.opt.step()
""",
    "GD629 jit": """\
import torch
def load_backbone(vit, path):
    sd = torch.load(path, weights_only=False, map_location="cpu")  # here
    for k in list(sd.keys()):
        if k.startswith("head"):
            del sd[k]
    vit.load_state_dict(sd, strict=False)
    return vit
""",
    "GD622 peft": """\
import torch
from peft import LoraConfig, get_peft_model
def main(model, loader):
    opt = torch.optim.AdamW(model.parameters(), lr=1e-4)
    model = get_peft_model(model, LoraConfig(r=8))  # here
    for batch in loader:
        loss = model(**batch).loss
        loss.backward()
        opt.step()
        opt.zero_grad()
""",
    "GD622 peft first healthy": """\
import torch
from peft import LoraConfig, get_peft_model
def main(model, loader):
    model = get_peft_model(model, LoraConfig(r=8))
    opt = torch.optim.AdamW(model.parameters(), lr=1e-4)
    for batch in loader:
        loss = model(**batch).loss
        loss.backward()
        opt.step()
        opt.zero_grad()
""",
    "GD622 weight norm": """\
import torch
from torch import nn
def main(net, loader):
    opt = torch.optim.AdamW(net.parameters(), lr=1e-4)
    nn.utils.weight_norm(net.fc)  # here
    for x, y in loader:
        loss = nn.functional.mse_loss(net(x), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
""",
    "GD622 loop over layers": """\
import torch
from torch import nn
def main(net, loader):
    opt = torch.optim.AdamW(net.parameters(), lr=1e-4)
    for block in net.blocks:
        block.norm = nn.LayerNorm(16)  # here
    for x, y in loader:
        loss = nn.functional.mse_loss(net(x), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
""",
    "GD622 lora helper": """\
import torch
from torch import nn
class Lora(nn.Module):
    def __init__(self, base):
        super().__init__()
        self.base, self.down = base, nn.Linear(base.in_features, 4)
    def forward(self, x):
        return self.base(x)
def add_lora(net):
    for block in net.blocks:
        block.proj = Lora(block.proj)
    return net
def main(net, loader):
    opt = torch.optim.AdamW(net.parameters(), lr=1e-4)
    net = add_lora(net)  # here
    for x, y in loader:
        loss = nn.functional.mse_loss(net(x), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
""",
    "GD622 other networks in a loop healthy": """\
import torch
from torch import nn
def main(net, others, loader):
    opt = torch.optim.AdamW(net.parameters(), lr=1e-4)
    for other in others:
        other.norm = nn.LayerNorm(16)
    for x, y in loader:
        loss = nn.functional.mse_loss(net(x), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
""",
}


@pytest.mark.parametrize(("name", "text"), CASES.items(), ids=CASES)
def test_what_is_marked_is_told_and_nothing_else(name: str, text: str) -> None:
    """The rule reports the marked lines and no other; a healthy text has none."""
    assert lines_of(name[:5], text) == marked(text)
