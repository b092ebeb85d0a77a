"""What each peer says of one model: an alarm in its own words, or "".

Each is used to the full that its documentation shows: every check that can be asked of any model
is asked, with the model's logits and the usual shifted cross-entropy.  Any exception on the way is
an alarm too, as it would be to whoever runs them.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

Logits = Callable[[nn.Module, Tensor], Tensor]
RATE = 1e-3  # of the optimizers in the peers' own examples


class Wrapped(nn.Module):
    """A model as the peers want it: ids [B, T] in, logits [B, T, V] out."""

    def __init__(self, model: nn.Module, logits: Logits) -> None:
        super().__init__()
        self.model = model
        self._logits = logits

    def forward(self, ids: Tensor) -> Tensor:
        """The logits [B, T, V]."""
        return self._logits(self.model, ids)


def next_token_loss(logits: Tensor, ids: Tensor) -> Tensor:
    """Shifted cross-entropy, in nats."""
    return F.cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten())


# Lines that a user writes for each, counted in the function below it: imports, set-up and calls,
# beside the model, its batch and its loss, which he has.
LINES = {"torchtest": 4, "torcheck": 8, "preflight": 4, "gptdoctor": 0}


def torchtest_says(model: nn.Module, ids: Tensor) -> str:
    """After one step of training every parameter has to have changed."""
    torchtest = import_module("torchtest")

    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    torchtest.assert_vars_change(model, next_token_loss, optimizer, [ids, ids], "cpu")
    return ""


def torcheck_says(model: nn.Module, ids: Tensor) -> str:
    """Parameters change, nothing is NaN or infinite, and the output is no probability."""
    torcheck = import_module("torcheck")

    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    torcheck.register(optimizer)
    torcheck.add_module_changing_check(model)
    torcheck.add_module_nan_check(model)
    torcheck.add_module_inf_check(model)
    torcheck.add_module_output_range_check(model, output_range=(0, 1), negate_range=True)
    for _ in range(2):
        optimizer.zero_grad()
        next_token_loss(model(ids), ids).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return ""


def preflight_says(model: nn.Module, ids: Tensor) -> str:
    """The checks of the model; those of data sets and machines say nothing of it."""
    preflight = import_module("preflight")

    found = preflight.run_checks([(ids, ids)], model=model, loss_fn=next_token_loss)
    about_the_model = ("shape_mismatch", "gradient_check")
    bad = [one for one in found if not one.passed and one.name in about_the_model]
    return "; ".join(f"{one.name}: {one.message}" for one in bad)


PEERS = {"torchtest": torchtest_says, "torcheck": torcheck_says, "preflight": preflight_says}


def alarm(peer: str, make: Callable[[], tuple[nn.Module, Logits]], ids: Tensor) -> str:
    """What a peer says of a fresh model; "" where it is content."""
    try:
        torch.manual_seed(0)
        model, logits = make()
        return PEERS[peer](Wrapped(model, logits).train(), ids)
    except BaseException as error:
        return f"{type(error).__name__}: {error}"
