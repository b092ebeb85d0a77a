"""GD602 to GD645 in further spellings, and what looks like them and is right."""

from __future__ import annotations

import pytest

from tests.defects.marks import marked, plain
from tests.defects.scanning import lines_of

HEAD = """\
import torch
import torch.nn.functional as F
from torch import nn


"""
SICK = {
    "GD604 a mean of several": """
        class Ensemble(nn.Module):
            def __init__(self, d, n):
                super().__init__()
                self.members = nn.ModuleList(nn.Linear(d, n) for _ in range(3))

            def forward(self, x):
                votes = [member(x).softmax(dim=-1) for member in self.members]
                return torch.stack(votes).mean(dim=0)

            def training_step(self, batch):
                x, y = batch
                return F.cross_entropy(self(x), y)  # here
        """,
    "GD604 made beside another": """
        class Net(nn.Module):
            def __init__(self, d, n):
                super().__init__()
                self.fc, self.criterion = nn.Linear(d, n), nn.CrossEntropyLoss()

            def forward(self, x, y):
                return self.criterion(self.fc(x).softmax(dim=-1), y)  # here
        """,
    "GD605 a mask that is given": """
        def loss(logits, labels, mask):
            each = F.cross_entropy(logits.transpose(1, 2), labels, reduction="none")
            return (each * mask).mean()  # here
        """,
    "GD605 marks that are clamped": """
        class Model(nn.Module):
            def __init__(self, vocab, d):
                super().__init__()
                self.embed, self.head = nn.Embedding(vocab, d), nn.Linear(d, vocab)

            def forward(self, ids, labels=None):
                logits = self.head(self.embed(ids))
                if labels is None:
                    return logits
                labels = labels[:, 1:].clamp(min=0)  # here
                return F.cross_entropy(logits[:, :-1].flatten(0, 1), labels.flatten())
        """,
    "GD606 numbers of several losses": """
        class Model(nn.Module):
            def __init__(self, vocab, d):
                super().__init__()
                self.embed, self.head = nn.Embedding(vocab, d), nn.Linear(d, vocab)

            def forward(self, ids, labels=None):
                logits = self.head(self.embed(ids))
                out = {"logits": logits}
                if labels is not None:
                    ce = F.cross_entropy(logits.transpose(1, 2), labels)
                    z = logits.logsumexp(-1).square().mean()
                    out["loss"] = torch.tensor([ce, 0.1 * z]).sum()  # here
                return out
        """,
    "GD607 a loss by hand": """
        def loss(logits, labels):
            logp = torch.log_softmax(logits, dim=-1).flatten(0, 1)
            flat = labels.view(-1)
            return -logp[:-1].gather(1, flat[1:].unsqueeze(1)).mean()  # here
        """,
    "GD607 all columns": """
        def loss(logits, ids):
            logits = logits.reshape(-1, logits.size(-1))
            targets = ids.reshape(-1)
            return F.cross_entropy(logits[:-1, :], targets[1:])  # here
        """,
    "GD608 a loss that is not returned": """
        class Model(nn.Module):
            def __init__(self, vocab, d):
                super().__init__()
                self.embed, self.head = nn.Embedding(vocab, d), nn.Linear(d, vocab)

            def forward(self, ids, labels=None):
                logits = self.head(self.embed(ids))
                if labels is not None:
                    loss = F.cross_entropy(logits.transpose(1, 2), labels)  # here
                return logits
        """,
    "GD613 weight by weight": """
        def train(model, loader):
            opt = torch.optim.SGD(model.parameters(), lr=0.1)
            for x, y in loader:
                F.mse_loss(model(x), y).backward()
                for p in model.parameters():
                    if p.grad is not None:
                        p.grad.zero_()  # here
                opt.step()
        """,
    "GD613 weight by weight to None": """
        def fit(x, y):
            w, b = torch.zeros(1, requires_grad=True), torch.zeros(1, requires_grad=True)
            opt = torch.optim.SGD([w, b], lr=0.1)
            for _ in range(9):
                (x * w + b - y).square().mean().backward()
                for p in (w, b):
                    p.grad = None  # here
                opt.step()
        """,
    "GD614 a list of optimizers": """
        def train(a, b, data):
            optimizers = [torch.optim.SGD(m.parameters(), lr=0.1) for m in (a, b)]
            for chunk in data.split(50):
                for o in optimizers:
                    o.zero_grad()
                error = F.l1_loss(b(a(chunk)), chunk)
                for o in optimizers:
                    o.step()  # here
            print(error.item())
        """,
    "GD619 each part of a batch": """
        def train(model, batches, device):
            for batch in batches:
                for value in batch.values():
                    value.to(device)  # here
                model(batch["x"])
        """,
    "GD619 the data of parameters": """
        def clip(model):
            for p in model.parameters():
                p.data.clamp(-0.01, 0.01)  # here
        """,
    "GD627 a leaf by hand": """
        def train(model, opt, loader):
            for x, y in loader:
                with torch.no_grad():
                    loss = F.mse_loss(model(x), y)
                loss.requires_grad = True  # here
                opt.zero_grad()
                loss.backward()
                opt.step()
        """,
    "GD627 a new tensor that wants gradients": """
        def train(model, opt, loader):
            for x, y in loader:
                loss = F.mse_loss(model(x), y)
                loss = torch.tensor(loss.item(), requires_grad=True)  # here
                opt.zero_grad()
                loss.backward()
                opt.step()
        """,
    "GD619 labels that are given": """
        def step(model, images, labels, device):
            images.to(device)  # here
            labels.cuda()  # here
            return F.cross_entropy(model(images), labels)
        """,
    "GD621 a running mean from None on": """
        def train(model, opt, loader):
            mean = None
            for x, y in loader:
                error = F.mse_loss(model(x), y)
                opt.zero_grad()
                error.backward()
                opt.step()
                mean = error if mean is None else 0.9 * mean + 0.1 * error  # here
            return mean
        """,
    "GD622 a table that was trained before": """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.embed, self.head = nn.Embedding(9, 4), nn.Linear(4, 2)

            def forward(self, ids):
                return self.head(self.embed(ids).mean(1))


        def main(table, batches):
            net = Net()
            opt = torch.optim.Adam(net.parameters())
            net.embed = nn.Embedding.from_pretrained(table, freeze=False)  # here
            for ids, y in batches:
                opt.zero_grad()
                F.cross_entropy(net(ids), y).backward()
                opt.step()
        """,
    "GD625 a pair": """
        class Gate(nn.Module):
            def __init__(self):
                super().__init__()
                self.net, self.criterion = nn.Linear(3, 1), nn.BCEWithLogitsLoss()

            def forward(self, x):
                return self.net(x).squeeze(-1)

            def loss(self, x, y):
                pair = (y, self(x))
                return self.criterion(*pair)  # here
        """,
    "GD626 options of the object": """
        class Trainer:
            def __init__(self, model):
                self.model, self.options = model, {"retain_graph": True}
                self.opt = torch.optim.SGD(model.parameters(), lr=0.1)

            def fit(self, batches):
                for x, y in batches:
                    self.opt.zero_grad()
                    loss = F.mse_loss(self.model(x), y)
                    loss.backward(**self.options)  # here
                    self.opt.step()
        """,
    "GD628 a list of results that are compared": """
        def test(net, loader):
            net.eval()
            results = [net(x).softmax(-1)[:, 1] for x, _ in loader]  # here
            truth = torch.cat([y for _, y in loader])
            return ((torch.cat(results) > 0.5) == truth).float().mean().item()
        """,
    "GD640 a table of the class's own": """
        class Skipgram(nn.Module):
            def __init__(self, n, d):
                super().__init__()
                self.center = nn.Parameter(torch.randn(n, d))
                self.context = nn.Parameter(torch.randn(d, n))

            def forward(self, words):
                return torch.einsum("bd,dv->bv", self.center[words], self.context)


        def main(batches):
            net = Skipgram(9, 4)
            for pairs in batches:
                F.nll_loss(net(pairs[:, 0]), pairs[:, 1]).backward()  # here
        """,
    "GD643 a helper without a reduction": """
        def pointwise(new, old):
            return F.kl_div(new.log_softmax(-1), old.softmax(-1), reduction="none")


        def penalty(model, old, ids):
            return pointwise(model(ids), old(ids)).mean()  # here
        """,
}
HEALTHY = {
    "GD605 a mask that is given, and counted": """
        def loss(logits, labels, mask):
            each = F.cross_entropy(logits.transpose(1, 2), labels, reduction="none")
            return (each * mask).sum() / mask.sum()
        """,
    "GD605 weights that are given": """
        def loss(logits, labels, weights):
            each = F.cross_entropy(logits.transpose(1, 2), labels, reduction="none")
            return (each * weights).mean()
        """,
    "GD627 a sum that begins as a leaf": """
        def train(model, opt, loader):
            loss = torch.tensor(0.0, requires_grad=True)
            for x, y in loader:
                loss = loss + F.mse_loss(model(x), y)
            opt.zero_grad()
            loss.backward()
            opt.step()
        """,
    "GD627 inputs that are learned": """
        def attack(model, x, y):
            x.requires_grad = True
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            return x.grad.sign()
        """,
    "GD605 marks that are left out afterwards": """
        def loss(logits, labels):
            each = F.cross_entropy(logits.transpose(1, 2), labels.clamp(min=0), reduction="none")
            return each[labels >= 0].mean()
        """,
    "GD605 what is no mark": """
        def loss(logits, labels):
            return F.cross_entropy(logits, labels.clamp(0, 9)) + F.cross_entropy(
                logits, labels.clamp(min=1)
            )
        """,
    "GD606 a copy for the eye": """
        class Model(nn.Module):
            def __init__(self, vocab, d):
                super().__init__()
                self.embed, self.head = nn.Embedding(vocab, d), nn.Linear(d, vocab)

            def forward(self, ids, labels=None):
                logits = self.head(self.embed(ids))
                out = {"logits": logits}
                if labels is not None:
                    ce = F.cross_entropy(logits.transpose(1, 2), labels)
                    z = logits.logsumexp(-1).square().mean()
                    out["parts"] = torch.tensor([ce, z])
                    out["loss"] = torch.stack([ce, 0.1 * z]).sum()
                return out
        """,
    "GD607 rows that stay apart": """
        def loss(logits, labels):
            logp = torch.log_softmax(logits, dim=-1)
            flat = logp[:, :-1].flatten(0, 1)
            return -flat.gather(1, labels[:, 1:].reshape(-1, 1)).mean()
        """,
    "GD608 a loss that is kept": """
        class Model(nn.Module):
            def __init__(self, vocab, d):
                super().__init__()
                self.embed, self.head = nn.Embedding(vocab, d), nn.Linear(d, vocab)

            def forward(self, ids, labels=None):
                logits = self.head(self.embed(ids))
                if labels is not None:
                    self.loss = F.cross_entropy(logits.transpose(1, 2), labels)
                return logits
        """,
    "GD613 other weights": """
        def train(model, other, loader):
            opt = torch.optim.SGD(model.parameters(), lr=0.1)
            for x, y in loader:
                F.mse_loss(model(x) + other(x), y).backward()
                for p in other.parameters():
                    p.grad.zero_()
                opt.step()
        """,
    "GD613 some of the weights": """
        def train(model, loader, frozen):
            opt = torch.optim.SGD(model.parameters(), lr=0.1)
            for x, y in loader:
                F.mse_loss(model(x), y).backward()
                for name, p in model.named_parameters():
                    if name in frozen:
                        p.grad.zero_()
                opt.step()
        """,
    "GD614 a list of optimizers that step": """
        def train(a, b, data):
            optimizers = [torch.optim.SGD(m.parameters(), lr=0.1) for m in (a, b)]
            for chunk in data.split(50):
                for o in optimizers:
                    o.zero_grad()
                error = F.l1_loss(b(a(chunk)), chunk)
                error.backward()
                for o in optimizers:
                    o.step()
        """,
    "GD619 models of a list": """
        def move(models, device):
            for model in models:
                for value in model.children():
                    value.to(device)
        """,
    "GD621 a running mean of numbers": """
        def train(model, opt, loader):
            mean = None
            for x, y in loader:
                error = F.mse_loss(model(x), y)
                opt.zero_grad()
                error.backward()
                opt.step()
                mean = error.item() if mean is None else 0.9 * mean + 0.1 * error.item()
            return mean
        """,
    "GD622 a table that stays as it is": """
        def main(net, table, batches):
            opt = torch.optim.Adam(net.parameters())
            net.embed = nn.Embedding.from_pretrained(table)
            for ids, y in batches:
                opt.zero_grad()
                F.cross_entropy(net(ids), y).backward()
                opt.step()
        """,
    "GD625 a pair in order": """
        class Gate(nn.Module):
            def __init__(self):
                super().__init__()
                self.net, self.criterion = nn.Linear(3, 1), nn.BCEWithLogitsLoss()

            def forward(self, x):
                return self.net(x).squeeze(-1)

            def loss(self, x, y):
                pair = (self(x), y)
                return self.criterion(*pair)
        """,
    "GD626 options that change": """
        class Trainer:
            def __init__(self, model):
                self.model, self.options = model, {"retain_graph": True}
                self.opt = torch.optim.SGD(model.parameters(), lr=0.1)

            def fit(self, batches):
                self.options["retain_graph"] = False
                for x, y in batches:
                    self.opt.zero_grad()
                    loss = F.mse_loss(self.model(x), y)
                    loss.backward(**self.options)
                    self.opt.step()
        """,
    "GD628 a list of results that is returned": """
        def test(net, loader):
            net.eval()
            results = [net(x).softmax(-1)[:, 1] for x, _ in loader]
            return results, torch.cat(results) > 0.5
        """,
    "GD640 logarithms of the class's own": """
        class Skipgram(nn.Module):
            def __init__(self, n, d):
                super().__init__()
                self.center = nn.Parameter(torch.randn(n, d))
                self.context = nn.Parameter(torch.randn(d, n))

            def forward(self, words):
                return (self.center[words] @ self.context).log_softmax(-1)


        def main(batches):
            net = Skipgram(9, 4)
            for pairs in batches:
                F.nll_loss(net(pairs[:, 0]), pairs[:, 1]).backward()
        """,
    "GD643 a helper whose classes are summed": """
        def pointwise(new, old):
            return F.kl_div(new.log_softmax(-1), old.softmax(-1), reduction="none")


        def penalty(model, old, ids):
            return pointwise(model(ids), old(ids)).sum(-1).mean()
        """,
}


@pytest.mark.parametrize(("name", "text"), SICK.items(), ids=SICK)
def test_a_spelling_is_seen(name: str, text: str) -> None:
    """On its line, and only there."""
    text = f"{HEAD}{plain(text)}"
    assert lines_of(name[:5], text) == marked(text)


@pytest.mark.parametrize(("name", "text"), HEALTHY.items(), ids=HEALTHY)
def test_what_looks_like_it_is_left_alone(name: str, text: str) -> None:
    """Each does nearly the same, and rightly."""
    assert lines_of(name[:5], f"{HEAD}{plain(text)}") == []
