"""Models as users build them in notebooks and tests."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

VOCABULARY, WIDTH = 41, 24


class Cut(nn.Module):
    """A layer whose result has no gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(WIDTH, WIDTH)

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        return x + self.inner(x)


class TinyLM(nn.Module):
    """Healthy: dropout, a buffer that each forward writes, prints, a loss of its own."""

    seen: Tensor

    def __init__(self, layer: nn.Module | None = None) -> None:
        super().__init__()
        self.tokens = nn.Embedding(VOCABULARY, WIDTH)
        self.positions = nn.Embedding(16, WIDTH)
        self.layer = layer or nn.GRU(WIDTH, WIDTH, batch_first=True)
        self.drop = nn.Dropout(0.1)
        self.head = nn.Linear(WIDTH, VOCABULARY)
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, ids: Tensor, labels: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        print("forward of", tuple(ids.shape))  # noqa: T201
        self.seen += 1
        x = self.tokens(ids) + self.positions(torch.arange(ids.shape[1], device=ids.device))
        x = self.layer(self.drop(x))
        logits = self.head(x[0] if isinstance(x, tuple) else x)
        if labels is None:
            return logits, None
        predicted = logits[:, :-1].flatten(0, 1)
        return logits, functional.cross_entropy(predicted, labels[:, 1:].flatten())


class Crashing(TinyLM):
    """Fails in its forward, whatever it is given."""

    def forward(self, ids: Tensor, labels: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        x = self.tokens(ids)
        return self.head(x.reshape(-1, WIDTH + 1)), None


class Slow(TinyLM):
    """Takes a while for each forward."""

    def forward(self, ids: Tensor, labels: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        import time

        time.sleep(0.05)
        return super().forward(ids, labels)


class Uncopyable(TinyLM):
    """Holds what deepcopy refuses."""

    def __deepcopy__(self, memo: object) -> Uncopyable:
        raise RuntimeError("no copies of me")
