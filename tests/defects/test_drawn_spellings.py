"""GD402 to GD416 by settings, orders under a name, early returns, and networks in sight."""

from __future__ import annotations

import pytest

from tests.defects.marks import marked, plain
from tests.defects.scanning import lines_of

HEAD = """\
import torch
import torch.nn.functional as F
from torch import nn
from torch.distributions import Categorical


"""
SICK = {
    "GD402 handed out beside": """
        class Decoder:
            def __init__(self, net, temp=1.0):
                self.net, self.temp = net, temp

            @torch.no_grad()
            def draw(self, ids, n):
                for _ in range(n):
                    logits = self.net(ids[:, -9:])[:, -1]
                    scaled = logits / self.temp
                    probs = logits.softmax(-1)
                    ids = torch.cat([ids, torch.multinomial(probs, 1)], dim=1)  # here
                return ids, scaled
        """,
    "GD402 an operation of the object of which nothing is kept": """
        class Sampler:
            def __init__(self, model, temperature=1.0):
                self.model, self.temperature = model, temperature

            @torch.no_grad()
            def sample(self, ids, n):
                for _ in range(n):
                    logits = self.model(ids)[:, -1]
                    if self.temperature != 1.0:
                        logits / self.temperature  # here
                    ids = torch.cat([ids, torch.multinomial(logits.softmax(-1), 1)], 1)
                return ids
        """,
    "GD403 the inverse of a setting": """
        @torch.no_grad()
        def dream(model, ids, args):
            inverse = 1.0 / args.temperature
            for _ in range(args.length):
                shares = torch.div(model(ids)[:, -1], inverse).softmax(-1)  # here
                ids = torch.cat([ids, torch.multinomial(shares, 1)], dim=1)
            return ids
        """,
    "GD405 an order under a name": """
        @torch.no_grad()
        def sample(model, ids, n):
            for _ in range(n):
                order = model(ids)[:, -1].sort(dim=-1, descending=True).indices  # here
                ids = torch.cat([ids, order[:, :1]], dim=1)
            return ids
        """,
    "GD406 the end of a rising order": """
        @torch.no_grad()
        def complete(model, ids, n, top_k=10):
            for _ in range(n):
                last = model(ids)[:, -1]
                order = last.argsort(dim=-1)
                last = last.scatter(-1, order[:, top_k:], float("-inf"))  # here
                drawn = Categorical(logits=last).sample()
                ids = torch.cat([ids, drawn[:, None]], dim=1)
            return ids
        """,
    "GD406 the beginning of a falling order": """
        @torch.no_grad()
        def complete(model, ids, n, top_k=10):
            for _ in range(n):
                last = model(ids)[:, -1]
                _, order = last.sort(dim=-1, descending=True)
                last = last.scatter(-1, order[:, :-top_k], float("-inf"))  # here
                drawn = Categorical(logits=last).sample()
                ids = torch.cat([ids, drawn[:, None]], dim=1)
            return ids
        """,
    "GD406 marks of the likeliest as truth values": """
        @torch.no_grad()
        def generate(model, ids, n, top_k=40):
            for _ in range(n):
                probs = torch.softmax(model(ids)[:, -1], -1)
                _, best = probs.topk(top_k)
                mask = torch.zeros_like(probs).scatter_(1, best, 1.0).bool()
                probs = probs.masked_fill(mask, 0.0)  # here
                ids = torch.cat([ids, torch.multinomial(probs, 1)], 1)
            return ids
        """,
    "GD417 a network that is handed on": """
        class Actor(nn.Module):
            def __init__(self, width, actions):
                super().__init__()
                self.pi = nn.Linear(width, actions)

            def forward(self, x):
                return F.softmax(self.pi(x), dim=-1)


        def act(actor, x):
            p = actor(x)
            return Categorical(logits=p).sample()  # here


        actor = Actor(3, 2)
        act(actor, torch.randn(1, 3))
        """,
    "GD408 the flag of each module": """
        @torch.no_grad()
        def generate(model, ids, n):
            for module in model.modules():
                module.training = True  # here
            for _ in range(n):
                token = model(ids)[:, -1].softmax(-1).multinomial(1)
                ids = torch.cat([ids, token], dim=1)
            return ids
        """,
    "GD416 logarithms that are moved": """
        @torch.no_grad()
        def draw(model, ids):
            logs = F.log_softmax(model(ids)[:, -1], dim=-1)
            weights = logs - logs.min(dim=-1, keepdim=True).values
            return torch.multinomial(weights, 1)  # here
        """,
    "GD409 an early return": """
        @torch.no_grad()
        def generate(model, ids, n, eos):
            was = model.training
            model.eval()
            for _ in range(n):
                token = model(ids)[:, -1].softmax(-1).multinomial(1)
                if token.item() == eos:
                    return ids  # here
                ids = torch.cat([ids, token], dim=1)
            model.train(was)
            return ids
        """,
    "GD410 chances that are only written down": """
        def generate(model, ids, n):  # here
            trace = []
            for _ in range(n):
                dist = Categorical(logits=model(ids[:, -9:])[:, -1])
                drawn = dist.sample()
                trace.append(dist.log_prob(drawn).tolist())
                ids = torch.cat([ids, drawn[:, None]], dim=1)
            return ids, trace
        """,
    "GD411 rows for tokens": """
        class Writer(nn.Module):
            def __init__(self, vocab, width, ctx=32):
                super().__init__()
                self.ctx = ctx
                self.words, self.head = nn.Embedding(vocab, width), nn.Linear(width, vocab)

            def forward(self, ids):
                return self.head(self.words(ids))

            @torch.no_grad()
            def generate(self, ids, n):
                for _ in range(n):
                    recent = ids[-self.ctx:]  # here
                    token = self(recent)[:, -1].softmax(-1).multinomial(1)
                    ids = torch.cat([ids, token], dim=1)
                return ids
        """,
    "GD412 rows that whoever calls gives": """
        @torch.no_grad()
        def generate(model, ids, eos_id: int, n=100, ctx=512):
            for _ in range(n):
                token = model(ids[:, -ctx:])[:, -1, :].softmax(-1).multinomial(1)
                ids = torch.cat([ids, token], dim=1)
                if (token == eos_id).any():  # here
                    break
            return ids
        """,
    "GD416 a stack in sight": """
        class Actor(nn.Module):
            def __init__(self, width, actions):
                super().__init__()
                self.net = nn.Sequential(nn.Linear(width, 64), nn.Tanh(), nn.Linear(64, actions))

            def forward(self, x):
                return self.net(x)

            def act(self, x):
                scores = self(x)
                return Categorical(scores).sample()  # here
        """,
}
HEALTHY = {
    "GD402 handed out and drawn from": """
        class Decoder:
            def __init__(self, net, temp=1.0):
                self.net, self.temp = net, temp

            @torch.no_grad()
            def draw(self, ids, n):
                for _ in range(n):
                    logits = self.net(ids[:, -9:])[:, -1]
                    scaled = logits / self.temp
                    probs = scaled.softmax(-1)
                    ids = torch.cat([ids, torch.multinomial(probs, 1)], dim=1)
                return ids, scaled
        """,
    "GD402 an operation of the object in place": """
        class Sampler:
            def __init__(self, model, temperature=1.0):
                self.model, self.temperature = model, temperature

            @torch.no_grad()
            def sample(self, ids, n):
                for _ in range(n):
                    logits = self.model(ids)[:, -1]
                    logits.div_(self.temperature)
                    ids = torch.cat([ids, torch.multinomial(logits.softmax(-1), 1)], 1)
                return ids
        """,
    "GD406 marks of the likeliest, turned round": """
        @torch.no_grad()
        def generate(model, ids, n, top_k=40):
            for _ in range(n):
                probs = torch.softmax(model(ids)[:, -1], -1)
                _, best = probs.topk(top_k)
                mask = torch.zeros_like(probs).scatter_(1, best, 1.0).bool()
                probs = probs.masked_fill(~mask, 0.0)
                ids = torch.cat([ids, torch.multinomial(probs, 1)], 1)
            return ids
        """,
    "GD417 a network that gives logits": """
        class Actor(nn.Module):
            def __init__(self, width, actions):
                super().__init__()
                self.pi = nn.Linear(width, actions)

            def forward(self, x):
                return self.pi(x)


        def act(actor, x):
            p = actor(x)
            return Categorical(logits=p).sample()


        actor = Actor(3, 2)
        act(actor, torch.randn(1, 3))
        """,
    "GD403 a setting that divides": """
        @torch.no_grad()
        def dream(model, ids, args):
            inverse = 1.0 / args.temperature
            for _ in range(args.length):
                shares = torch.mul(model(ids)[:, -1], inverse).softmax(-1)
                ids = torch.cat([ids, torch.multinomial(shares, 1)], dim=1)
            return ids
        """,
    "GD406 the end of a falling order": """
        @torch.no_grad()
        def complete(model, ids, n, top_k=10):
            for _ in range(n):
                last = model(ids)[:, -1]
                order = last.argsort(dim=-1, descending=True)
                last = last.scatter(-1, order[:, top_k:], float("-inf"))
                drawn = Categorical(logits=last).sample()
                ids = torch.cat([ids, drawn[:, None]], dim=1)
            return ids
        """,
    "GD408 the flag of dropouts, for a mean of many": """
        @torch.no_grad()
        def mc_dropout_sample(model, ids, n):
            for module in model.modules():
                module.training = True
            for _ in range(n):
                token = model(ids)[:, -1].softmax(-1).multinomial(1)
                ids = torch.cat([ids, token], dim=1)
            return ids
        """,
    "GD416 a softmax by hand": """
        @torch.no_grad()
        def draw(model, ids):
            logits = model(ids)[:, -1]
            weights = logits - logits.max(dim=-1, keepdim=True).values
            return torch.multinomial(weights.exp(), 1)
        """,
    "GD409 an early return that restores": """
        @torch.no_grad()
        def generate(model, ids, n, eos):
            was = model.training
            model.eval()
            try:
                for _ in range(n):
                    token = model(ids)[:, -1].softmax(-1).multinomial(1)
                    if token.item() == eos:
                        return ids
                    ids = torch.cat([ids, token], dim=1)
                return ids
            finally:
                model.train(was)
        """,
    "GD409 each return restores": """
        @torch.no_grad()
        def generate(model, ids, n, eos):
            was = model.training
            model.eval()
            for _ in range(n):
                token = model(ids)[:, -1].softmax(-1).multinomial(1)
                if token.item() == eos:
                    model.train(was)
                    return ids
                ids = torch.cat([ids, token], dim=1)
            model.train(was)
            return ids
        """,
    "GD410 scores that become an array": """
        class Pipeline:
            def __init__(self, model):
                self.model = model

            def draw(self, logits):
                probs = logits.softmax(-1)
                ends = probs.cumsum(-1).cpu().numpy()
                return torch.multinomial(probs * (ends < 0.9), 1)

            def generate(self, ids, n):
                for _ in range(n):
                    token = self.draw(self.model.forward(ids)[:, -1])
                    ids = torch.cat([ids, token], dim=1)
                return ids
        """,
    "GD410 chances that are learned from": """
        def generate(model, ids, n):
            trace = []
            for _ in range(n):
                dist = Categorical(logits=model(ids[:, -9:])[:, -1])
                drawn = dist.sample()
                trace.append(dist.log_prob(drawn))
                ids = torch.cat([ids, drawn[:, None]], dim=1)
            return ids, trace
        """,
    "GD411 a text without rows": """
        @torch.no_grad()
        def generate(model, ids, n, ctx):
            for _ in range(n):
                token = model(ids[-ctx:])[-1].softmax(-1).multinomial(1)
                ids = torch.cat([ids, token], dim=-1)
            return ids
        """,
    "GD412 a single row": """
        @torch.no_grad()
        def generate(model, ids, eos_id: int, n=100, ctx=512):
            for _ in range(n):
                token = model(ids[:, -ctx:])[:, -1, :].softmax(-1).multinomial(1)
                ids = torch.cat([ids, token], dim=1)
                if (token == eos_id).any():
                    break
            return ids


        def main(model, tokens):
            return generate(model, torch.tensor([tokens]).unsqueeze(0), 3)
        """,
    "GD416 a stack that ends in a softmax": """
        class Actor(nn.Module):
            def __init__(self, width, actions):
                super().__init__()
                self.net = nn.Sequential(nn.Linear(width, actions), nn.Softmax(dim=-1))

            def forward(self, x):
                return self.net(x)

            def act(self, x):
                scores = self(x)
                return Categorical(scores).sample()
        """,
    "GD621 a sum that the caller goes backward on": """
        class Segments(nn.Module):
            def __init__(self, model):
                super().__init__()
                self.model = model

            def forward(self, parts, backward=False):
                total = 0.0
                for part in parts:
                    loss = self.model(part).mean()
                    total = total + loss
                    if backward:
                        loss.backward()
                return total
        """,
    "GD644 logarithms that are shut out": """
        class Nucleus:
            def __init__(self, draw, p):
                self.draw, self.p = draw, p

            def __call__(self, logits):
                probs, order = logits.softmax(-1).sort(dim=-1, descending=True)
                logs = torch.log(probs)
                logs[probs.cumsum(-1) > self.p] = float("-inf")
                return order.gather(-1, self.draw(logs))
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
