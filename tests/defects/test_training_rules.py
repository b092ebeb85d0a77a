"""The rules that read training loops: each way to break one, and styles in which none is broken."""

from __future__ import annotations

import pytest

from tests.defects.marks import marked, plain
from tests.defects.scanning import lines_of, scan_text

RULES = tuple(f"GD{number}" for number in range(611, 640))

SICK = {
    "a closure that forgets to clear": (
        "GD611",
        """
        import torch

        def fit(net, loader):
            opt = torch.optim.LBFGS(net.parameters())
            for batch in loader:
                def closure():
                    loss = net(batch).mean()
                    loss.backward()
                    return loss
                opt.step(closure)  # here
        """,
    ),
    "a script": (
        "GD611",
        """
        import torch
        from data import loader

        net = torch.nn.Linear(8, 8)
        opt = torch.optim.SGD(net.parameters(), lr=0.1)
        for epoch in range(3):
            for batch in loader:
                net(batch).mean().backward()
                opt.step()  # here
        """,
    ),
    "with accelerate": (
        "GD611",
        """
        import torch
        from accelerate import Accelerator

        def fit(net, loader):
            accelerator = Accelerator()
            optimizer = torch.optim.AdamW(net.parameters())
            net, optimizer, loader = accelerator.prepare(net, optimizer, loader)
            for batch in loader:
                accelerator.backward(net(batch).mean())
                optimizer.step()  # here
        """,
    ),
    "a helper that steps and runs backward": (
        "GD611",
        """
        import torch

        def finish(loss, opt):
            loss.backward()
            opt.step()  # here

        def fit(net, loader):
            adam = torch.optim.Adam(net.parameters())
            for batch in loader:
                finish(net(batch).mean(), adam)
        """,
    ),
    "a step before the backward pass, in a while loop": (
        "GD612",
        """
        import torch

        def fit(net, loader, optimizer):
            feed = iter(loader)
            while True:
                loss = net(next(feed)).mean()
                optimizer.zero_grad()
                optimizer.step()  # here
                loss.backward()
        """,
    ),
    "cleared in a helper of the class": (
        "GD613",
        """
        import torch

        class Coach:
            def __init__(self, net):
                self.net = net
                self.opt = torch.optim.SGD(net.parameters(), lr=0.1)

            def clear(self):
                self.opt.zero_grad()  # here

            def one(self, batch):
                self.net(batch).mean().backward()
                self.clear()
                self.opt.step()
        """,
    ),
    "a step with nothing to step by, after a helper": (
        "GD614",
        """
        import torch
        from torch import nn

        def measure(net, ids, goal):
            return nn.functional.cross_entropy(net(ids), goal)

        def fit(net, loader):
            opt = torch.optim.SGD(net.parameters(), lr=0.1)
            for ids, goal in loader:
                opt.zero_grad()
                loss = measure(net, ids, goal)
                opt.step()  # here
                print(loss.item())
        """,
    ),
    "a clip behind the scaler's step": (
        "GD615",
        """
        import torch

        def fit(net, loader, optimizer):
            scaler = torch.amp.GradScaler()
            for batch in loader:
                optimizer.zero_grad()
                scaler.scale(net(batch).mean()).backward()
                scaler.step(optimizer)
                torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)  # here
                scaler.update()
        """,
    ),
    "a clip in a helper": (
        "GD616",
        """
        import torch
        from torch.nn.utils import clip_grad_norm_

        def finish(net, opt, scaler):
            clip_grad_norm_(net.parameters(), 1.0)  # here
            scaler.step(opt)
            scaler.update()
            opt.zero_grad()

        def fit(net, loader, opt):
            scaler = torch.amp.GradScaler()
            for batch in loader:
                scaler.scale(net(batch).mean()).backward()
                finish(net, opt, scaler)
        """,
    ),
    "a scaler whose step is left to the optimizer": (
        "GD617",
        """
        import torch

        scaler = torch.cuda.amp.GradScaler()

        def one(net, batch, optimizer):
            optimizer.zero_grad()
            scaler.scale(net(batch).mean()).backward()
            optimizer.step()  # here
            scaler.update()
        """,
    ),
    "an evaluation in the middle of an epoch": (
        "GD618",
        """
        import torch

        def fit(net, loader, held_out, optimizer):
            for epoch in range(3):
                net.train()
                for number, batch in enumerate(loader):
                    optimizer.zero_grad()
                    loss = net(batch).mean()
                    loss.backward()
                    optimizer.step()
                    if number % 50 == 0:
                        net.eval()  # here
                        with torch.no_grad():
                            print(net(held_out).mean())
        """,
    ),
    "a view of a layer's output": (
        "GD619",
        """
        import torch
        from torch import nn

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.proj = nn.Linear(8, 8)

            def forward(self, x):
                out = self.proj(x)
                out.view(-1, 4)  # here
                return out
        """,
    ),
    "a method of a part": (
        "GD620",
        """
        import torch

        def prepare(model):
            model.backbone.eval  # here
            return model
        """,
    ),
    "a loss in a list, in Lightning's way": (
        "GD621",
        """
        import torch

        def fit(self, loader, opt):
            kept = []
            for batch in loader:
                loss = self.net(batch).mean()
                opt.zero_grad()
                self.manual_backward(loss)
                opt.step()
                kept.append(loss)  # here
            return kept
        """,
    ),
    "a parameter that comes later": (
        "GD622",
        """
        import torch
        from torch import nn

        def fit(net, loader):
            optimizer = torch.optim.Adam(net.parameters())
            net.prompt = nn.Parameter(torch.zeros(8))  # here
            for batch in loader:
                optimizer.zero_grad()
                net(batch).mean().backward()
                optimizer.step()
        """,
    ),
    "a schedule by another library": (
        "GD624",
        """
        import torch
        from transformers import get_linear_schedule_with_warmup

        def fit(net, loader, optimizer):
            lr_scheduler = get_linear_schedule_with_warmup(optimizer, 10, 100)
            for batch in loader:
                net(batch).mean().backward()
                lr_scheduler.step()  # here
                optimizer.step()
                optimizer.zero_grad()
        """,
    ),
    "a loss of yes and no": (
        "GD625",
        """
        import torch.nn.functional as fn

        def loss_of(net, x, target):
            pred = net(x)
            return fn.binary_cross_entropy_with_logits(target.float(), pred.squeeze(-1))  # here
        """,
    ),
    "a kept graph in a plain loop": (
        "GD626",
        """
        import torch

        def fit(net, loader, optimizer):
            for batch in loader:
                loss = net(batch).mean()
                optimizer.zero_grad()
                loss.backward(retain_graph=True)  # here
                optimizer.step()
        """,
    ),
    "a loss of two parts, both without a graph": (
        "GD627",
        """
        import torch

        def one(net, batch, optimizer):
            optimizer.zero_grad()
            with torch.no_grad():
                loss = net(batch).mean() + net(batch).std()  # here
            loss.backward()
            optimizer.step()
        """,
    ),
    "an evaluation of a classifier": (
        "GD628",
        """
        import torch

        def compute_accuracy(model, loader):
            right = 0
            for x, y in loader:
                right += (model(x).argmax(-1) == y).sum().item()  # here
            return right
        """,
    ),
    "an evaluation that fills a tensor": (
        "GD628",
        """
        import torch

        def validate(fabric, model, loader):
            losses = torch.zeros(len(loader))
            for k, batch in enumerate(loader):
                logits = model(batch["ids"])  # here
                losses[k] = chunked_cross_entropy(logits, batch["labels"])
            return losses.mean()
        """,
    ),
    "a script that waits for eight batches": (
        "GD623",
        """
        import torch
        import torch.nn.functional as F
        from data import loader

        net = torch.nn.Linear(8, 8)
        opt = torch.optim.SGD(net.parameters(), lr=0.1)
        for i, (x, y) in enumerate(loader):
            loss = F.cross_entropy(net(x), y)
            loss.backward()  # here
            if not (i + 1) % 8:
                opt.step()
                opt.zero_grad()
        """,
    ),
    "a step that waits, told by a name": (
        "GD623",
        """
        import torch

        def fit(net, loader, optimizer, criterion, wait):
            for i, (x, y) in enumerate(loader):
                it_is_time = (i + 1) % wait == 0 or i + 1 == len(loader)
                loss = criterion(net(x), y).to("cuda")
                loss.backward()  # here
                if it_is_time:
                    optimizer.step()
                    optimizer.zero_grad()
        """,
    ),
    "a pass with and one without the others' gradients": (
        "GD623",
        """
        import torch

        def fit(net, loader, optimizer, wait):
            for i, batch in enumerate(loader):
                loss = net(**batch).loss
                if (i + 1) % wait != 0:
                    with net.no_sync():
                        loss.backward()  # here
                else:
                    loss.backward()  # here
                    optimizer.step()
                    optimizer.zero_grad()
        """,
    ),
    "slices of a batch": (
        "GD623",
        """
        import torch

        def one(net, ids, goal, optimizer, size, parts):
            optimizer.zero_grad()
            for k in range(parts):
                some, aims = ids[k * size : (k + 1) * size], goal[k * size : (k + 1) * size]
                loss = torch.nn.functional.cross_entropy(net(some).mT, aims)
                loss.backward()  # here
            optimizer.step()
        """,
    ),
    "a checkpoint in a script": (
        "GD629",
        """
        import torch
        from nets import Net

        net = Net()
        kept = torch.load("net.pt", weights_only=False)  # here
        net.load_state_dict(kept["model"])
        """,
    ),
}

HEALTHY = {
    "weights moved by hand": """
        import torch

        def fit(net, loader, lr=0.1):
            for batch in loader:
                loss = net(batch).mean()
                loss.backward()
                with torch.no_grad():
                    for p in net.parameters():
                        p.data -= lr * p.grad
                        p.grad = None
        """,
    "functional gradients": """
        import torch
        from torch.func import functional_call, grad

        def fit(net, params, loader, lr=0.1):
            def loss_of(params, batch):
                return functional_call(net, params, (batch,)).mean()
            for batch in loader:
                slopes = grad(loss_of)(params, batch)
                params = {name: p - lr * slopes[name] for name, p in params.items()}
            return params
        """,
    "a step that is a closure": """
        import torch

        def make_step(net, criterion, optimizer):
            def step(x, y):
                net.train()
                loss = criterion(net(x), y)
                loss.backward()
                optimizer.step()
                optimizer.zero_grad()
                return loss.item()
            return step

        def fit(net, criterion, optimizer, loader):
            step = make_step(net, criterion, optimizer)
            for x, y in loader:
                step(x, y)
        """,
    "several optimizers in a list": """
        import torch

        def fit(nets, loader):
            optimizers = [torch.optim.Adam(net.parameters()) for net in nets]
            for batch in loader:
                for opt in optimizers:
                    opt.zero_grad()
                sum(net(batch).mean() for net in nets).backward()
                for opt in optimizers:
                    opt.step()
        """,
    "sharpness-aware steps": """
        import torch
        from sam import SAM

        def fit(net, loader):
            optimizer = SAM(net.parameters(), torch.optim.SGD, lr=0.1)
            for batch in loader:
                net(batch).mean().backward()
                optimizer.first_step(zero_grad=True)
                net(batch).mean().backward()
                optimizer.second_step(zero_grad=True)
        """,
    "an engine": """
        import deepspeed

        def fit(net, loader):
            engine, optimizer, _, _ = deepspeed.initialize(model=net)
            for batch in loader:
                loss = engine(batch)
                engine.backward(loss)
                engine.step()
        """,
    "Lightning's own loop": """
        import lightning as L
        import torch

        class Net(L.LightningModule):
            def training_step(self, batch, number):
                opt = self.optimizers()
                opt.zero_grad()
                loss = self.net(batch).mean()
                self.manual_backward(loss)
                self.clip_gradients(opt, 1.0)
                opt.step()
        """,
    "a trainer with hooks": """
        import torch

        class Coach(Base):
            def fit(self, loader):
                for batch in loader:
                    self.net(batch).mean().backward()
                    self.optimizer.step()
                    self.on_step_end()
        """,
    "gradients of the inputs": """
        import torch

        def attack(net, image, label, steps):
            net.eval()
            noise = torch.zeros_like(image, requires_grad=True)
            for _ in range(steps):
                loss = torch.nn.functional.cross_entropy(net(image + noise), label)
                loss.backward()
                noise.data += 0.01 * noise.grad.sign()
                noise.grad.zero_()
            return noise.detach()
        """,
    "a library that divides by itself": """
        import torch
        from accelerate import Accelerator

        def fit(net, loader, optimizer):
            accelerator = Accelerator(gradient_accumulation_steps=4)
            for i, batch in enumerate(loader):
                loss = net(batch).mean()
                accelerator.backward(loss)
                if (i + 1) % 4 == 0:
                    optimizer.step()
                    optimizer.zero_grad()
        """,
    "a base class that may divide": """
        import torch
        from trainers import Base

        class Coach(Base):
            def fit(self, loader, wait):
                optimizer = torch.optim.SGD(self.net.parameters(), lr=0.1)
                for i, batch in enumerate(loader):
                    loss = self.compute_loss(batch)
                    loss.backward()
                    if (i + 1) % wait == 0:
                        optimizer.step()
                        optimizer.zero_grad()
        """,
    "gradients divided out of sight": """
        import torch
        from grads import average_grads

        def fit(net, loader, optimizer, wait):
            for i, batch in enumerate(loader):
                net(batch).mean().backward()
                if (i + 1) % wait == 0:
                    average_grads(net, wait)
                    optimizer.step()
                    optimizer.zero_grad()
        """,
    "an optimizer handed on with its table": """
        import torch
        from loops import finish

        def fit(state, loader):
            optimizer = state["optimizer"]
            for batch in loader:
                state["net"](batch).mean().backward()
                optimizer.step()
                finish(optimizer)
        """,
    "a guard against numbers that are not finite": """
        import torch

        def fit(net, loader, optimizer, scheduler):
            total = torch.zeros(())
            for batch in loader:
                optimizer.zero_grad()
                loss = net(batch).mean()
                if not torch.isfinite(loss):
                    continue
                loss.backward()
                norm = torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
                if torch.isfinite(norm):
                    optimizer.step()
                scheduler.step()
                total += loss.detach()
            return total
        """,
    "an epoch in each of two functions": """
        import torch

        def train_epoch(net, loader, optimizer):
            net.train()
            for batch in loader:
                optimizer.zero_grad()
                net(batch).mean().backward()
                optimizer.step()

        @torch.no_grad()
        def evaluate(net, loader):
            net.eval()
            return sum(net(batch).mean().item() for batch in loader)

        def main(net, loader, held_out):
            optimizer = torch.optim.AdamW(net.parameters())
            schedule = torch.optim.lr_scheduler.StepLR(optimizer, 10)
            for epoch in range(10):
                train_epoch(net, loader, optimizer)
                print(evaluate(net, held_out))
                schedule.step()
        """,
    "another framework, which writes its gradients anew": """
        from mxnet import autograd

        def fit(model, loader, logits_of):
            optim = model.configure_optimizers()
            for batch in loader:
                with autograd.record():
                    loss = logits_of(model, batch)
                loss.backward()
                optim.step(1)
        """,
    "a walrus and a comprehension": """
        import torch

        def fit(net, loader, optimizer):
            def turn(batch):
                optimizer.zero_grad()
                (loss := net(batch).mean()).backward()
                optimizer.step()
                return loss.item()
            return [turn(batch) for batch in loader]
        """,
}


@pytest.mark.parametrize("name", SICK)
def test_a_broken_loop_is_told_at_its_line(name: str) -> None:
    """The rule reports the marked line and no other."""
    rule, text = SICK[name]
    script = plain(text)
    assert marked(script) == lines_of(rule, script)


@pytest.mark.parametrize("name", HEALTHY)
def test_an_unusual_loop_is_left_alone(name: str) -> None:
    """None of the rules of training speaks."""
    assert [one for one in scan_text(plain(HEALTHY[name])) if one[0] in RULES] == []
