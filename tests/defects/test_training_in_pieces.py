"""The rules that read training loops, where these are cut into helpers and attributes."""

from __future__ import annotations

import pytest

from tests.defects.marks import marked, plain
from tests.defects.scanning import lines_of, scan_text

RULES = tuple(f"GD{number}" for number in range(611, 640))

SICK = {
    "gradients cleared once an epoch": (
        "GD611",
        """
        import torch

        def fit(net, loader, epochs):
            optimizer = torch.optim.Adam(net.parameters())
            for epoch in range(epochs):
                optimizer.zero_grad()
                for batch in loader:
                    net(batch).mean().backward()
                    optimizer.step()  # here
        """,
    ),
    "gradients cleared before the loop": (
        "GD611",
        """
        import torch

        def fit(net, x, y):
            optimizer = torch.optim.Adam(net.parameters())
            optimizer.zero_grad()
            for _ in range(100):
                torch.nn.functional.mse_loss(net(x), y).backward()
                optimizer.step()  # here
        """,
    ),
    "the kept model cleared before the kept optimizer's step": (
        "GD613",
        """
        import torch

        class Engine:
            def __init__(self, net):
                self.net = net
                self.optimizer = torch.optim.SGD(net.parameters(), lr=0.1)

            def back(self, loss):
                loss.backward()

            def step(self, batch):
                self.back(self.net(batch).mean())
                self.net.zero_grad()  # here
                self.optimizer.step()
        """,
    ),
    "a helper of the clip's own name": (
        "GD616",
        """
        import torch
        from torch import nn

        class Engine:
            def __init__(self, net):
                self.net = net
                self.optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
                self.scaler = torch.amp.GradScaler("cuda")

            def clip_gradients(self):
                nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)  # here

            def step(self, batch):
                self.scaler.scale(self.net(batch).mean()).backward()
                self.clip_gradients()
                self.scaler.step(self.optimizer)
                self.scaler.update()
        """,
    ),
    "a scaled loss under a name of its own": (
        "GD616",
        """
        import torch

        def step(net, batch, optimizer, scaler):
            optimizer.zero_grad()
            scaled = scaler.scale(net(batch).mean())
            scaled.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), max_norm=1.0)  # here
            scaler.step(optimizer)
            scaler.update()
        """,
    ),
    "a scaled loss, given to a helper": (
        "GD617",
        """
        import torch

        def back(loss):
            loss.backward()

        def step(net, batch):
            optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
            scaler = torch.amp.GradScaler("cuda")
            for batch in batches:
                optimizer.zero_grad()
                back(scaler.scale(net(batch).mean()))
                optimizer.step()  # here
                scaler.update()
        """,
    ),
    "the given model cleared before the given optimizer's step": (
        "GD613",
        """
        import torch

        def fit(model, loader, optimizer, loss_fn):
            for x, y in loader:
                loss_fn(model(x), y).backward()
                model.zero_grad()  # here
                optimizer.step()
        """,
    ),
    "a loss by another name": (
        "GD614",
        """
        import torch
        from torch import nn

        def fit(net, loader):
            optimizer = torch.optim.Adam(net.parameters())
            criterion = nn.CrossEntropyLoss().to("cuda")
            for x, y in loader:
                optimizer.zero_grad()
                err = criterion(net(x), y) + 0.1 * net.penalty()
                optimizer.step()  # here
                print(err.item())
        """,
    ),
    "a method that is one step": (
        "GD614",
        """
        import torch
        import torch.nn.functional as F

        class Engine:
            def __init__(self, net):
                self.net = net
                self.optimizer = torch.optim.SGD(net.parameters(), lr=0.1)

            def step(self, x, y):
                self.optimizer.zero_grad()
                loss = F.mse_loss(self.net(x), y)
                self.optimizer.step()  # here
                return loss.item()
        """,
    ),
    "a scaler's step": (
        "GD614",
        """
        import torch
        import torch.nn.functional as F

        def fit(net, loader, optimizer):
            scaler = torch.amp.GradScaler("cuda")
            for x, y in loader:
                optimizer.zero_grad()
                loss = F.mse_loss(net(x), y)
                scaler.step(optimizer)  # here
                scaler.update()
        """,
    ),
    "a script beside functions that train": (
        "GD614",
        """
        import torch
        import torch.nn.functional as F
        from data import loader, net

        def train(batch, optimizer):
            optimizer.zero_grad()
            net(batch).mean().backward()
            optimizer.step()

        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        for x, y in loader:
            loss = F.mse_loss(net(x), y)
            optimizer.step()  # here
        """,
    ),
    "a mode that is set by keyword": (
        "GD618",
        """
        def fit(net, loader, held_out, optimizer, torch):
            for batch in loader:
                loss = net(batch).mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                net.train(mode=False)  # here
                print(net(held_out).mean())
        """,
    ),
    "a model that the loop runs through a helper": (
        "GD618",
        """
        import torch

        class Engine:
            def loss(self, batch):
                return self.net(batch).mean()

            @torch.no_grad()
            def validate(self, held_out):
                self.net.eval()  # here
                return [self.loss(one) for one in held_out]

            def fit(self, loader, held_out, optimizer):
                for batch in loader:
                    loss = self.loss(batch)
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()
                    self.validate(held_out)
        """,
    ),
}

HEALTHY = {
    "an optimizer for each turn": """
        import torch

        def fit(nets, optimizers, loader):
            for batch in loader:
                for optimizer in optimizers:
                    optimizer.zero_grad()
                for net, optimizer in zip(nets, optimizers):
                    net(batch).mean().backward()
                    optimizer.step()
        """,
    "an optimizer by the number of the turn": """
        import torch

        def fit(nets, optimizers, loader):
            for batch in loader:
                for optimizer in optimizers:
                    optimizer.zero_grad()
                for i in range(len(nets)):
                    nets[i](batch).mean().backward()
                    optimizers[i].step()
        """,
    "one step at the end of an epoch": """
        import torch

        def fit(net, loader, epochs):
            optimizer = torch.optim.Adam(net.parameters())
            for epoch in range(epochs):
                optimizer.zero_grad()
                for i, batch in enumerate(loader, 1):
                    (net(batch).mean() / len(loader)).backward()
                    if i == len(loader):
                        optimizer.step()
        """,
    "one of two models cleared": """
        import torch

        class Engine:
            def __init__(self, net, head):
                self.net, self.head = net, head
                self.optimizer = torch.optim.SGD([*net.parameters(), *head.parameters()], lr=0.1)
                self.net = net

            def step(self, batch):
                self.head(self.net(batch)).mean().backward()
                self.net.zero_grad()
                self.optimizer.step()
        """,
    "a model of which only a part is stepped": """
        import torch

        def fit(encoder, head, loader, optimizer, loss_fn):
            for x, y in loader:
                loss_fn(head(encoder(x)), y).backward()
                encoder.zero_grad()
                optimizer.step()
        """,
    "a step whose loss is the caller's": """
        import torch
        import torch.nn.functional as F

        class Engine:
            def __init__(self, net):
                self.net = net
                self.optimizer = torch.optim.SGD(net.parameters(), lr=0.1)

            def turn(self, x, y):
                loss = F.mse_loss(self.net(x), y)
                self.optimizer.step()
                return loss
        """,
    "a step that keeps its loss for later": """
        import torch
        import torch.nn.functional as F

        class Engine:
            def __init__(self, net):
                self.net = net
                self.optimizer = torch.optim.SGD(net.parameters(), lr=0.1)

            def turn(self, x, y):
                loss = F.mse_loss(self.net(x), y)
                self.optimizer.step()
                self.pending = loss
        """,
    "a step in which the loss is handed on": """
        import torch
        import torch.nn.functional as F

        class Engine:
            def __init__(self, net, plan):
                self.net, self.plan = net, plan
                self.optimizer = torch.optim.SGD(net.parameters(), lr=0.1)

            def turn(self, x, y):
                loss = F.mse_loss(self.net(x), y)
                self.plan.spread(loss)
                self.optimizer.step()
                return loss.item()
        """,
    "a limit in the units of the scale": """
        import torch

        def step(net, batch, optimizer, scaler, limit=1.0):
            optimizer.zero_grad()
            scaler.scale(net(batch).mean()).backward()
            scale = scaler.get_scale()
            most = limit * scale
            torch.nn.utils.clip_grad_norm_(net.parameters(), most)
            scaler.step(optimizer)
            scaler.update()
        """,
    "a norm that is only measured": """
        import torch

        def step(net, batch, optimizer, scaler):
            optimizer.zero_grad()
            scaler.scale(net(batch).mean()).backward()
            norm = torch.nn.utils.clip_grad_norm_(net.parameters(), float("inf"))
            print(norm / scaler.get_scale())
            scaler.step(optimizer)
            scaler.update()
        """,
    "a helper that unscales before it clips": """
        import torch

        class Engine:
            def clip_gradients(self):
                self.scaler.unscale_(self.optimizer)
                torch.nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)

            def step(self, batch):
                self.optimizer.zero_grad()
                self.scaler.scale(self.net(batch).mean()).backward()
                self.clip_gradients()
                self.scaler.step(self.optimizer)
                self.scaler.update()
        """,
    "another model evaluated than the one that is trained": """
        import torch

        class Engine:
            def loss(self, batch):
                return self.net(batch).mean()

            def judge(self, batch):
                self.teacher.eval()
                return self.teacher(batch)

            def fit(self, loader, optimizer):
                for batch in loader:
                    loss = self.loss(batch)
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()
                    self.judge(batch)
        """,
}


@pytest.mark.parametrize("name", SICK)
def test_training_in_pieces_is_put_together(name: str) -> None:
    """The rule reports the marked line and no other."""
    rule, text = SICK[name]
    script = plain(text)
    assert marked(script) == lines_of(rule, script)


@pytest.mark.parametrize("name", HEALTHY)
def test_pieces_that_fit_are_left_alone(name: str) -> None:
    """None of the rules of training speaks."""
    assert [one for one in scan_text(plain(HEALTHY[name])) if one[0] in RULES] == []
