"""Effects on generation. Where draws are counted, the model's logits are made known ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.mutations.effects.flow import STILL, changed, moved
from benchmarks.mutations.effects.gradients import differs
from benchmarks.mutations.subject import Subject

DRAWS = 4000  # rows, one token each; the noise of the total variation is then about 0.05
FAR = 0.2  # total variation


def with_logits(model: nn.Module, make: Callable[[Tensor], Tensor]) -> None:
    """Makes a model answer `make(logits)` [B, T, V] in whatever form it answers."""
    forward = model.forward

    def replaced(*args: Any, **kwargs: Any) -> Any:
        return _with(forward(*args, **kwargs), make)

    model.forward = replaced


def _with(out: Any, make: Callable[[Tensor], Tensor]) -> Any:
    if isinstance(out, Tensor):
        return make(out)
    if isinstance(out, tuple):
        at = next(i for i, one in enumerate(out) if isinstance(one, Tensor) and one.dim() == 3)
        return (*out[:at], make(out[at]), *out[at + 1 :])
    if isinstance(out, dict):
        return {**out, "logits": make(out["logits"])}
    raise TypeError(type(out))


def slope(logits: Tensor) -> Tensor:
    """Known logits: from 0 to 3, in a fixed disorder, the same for each row and position."""
    size = logits.shape[-1]
    order = torch.randperm(size, generator=torch.Generator().manual_seed(9))
    return torch.linspace(0, 3, size)[order].expand(logits.shape).clone()


def drawn(subject: Subject, **options: float) -> Tensor:
    """The share of each id among the draws, [V]."""
    assert subject.host.generate is not None
    model = subject.model(layers=1)
    with_logits(model, slope)
    torch.manual_seed(0)
    out = subject.host.generate(model, subject.ids(DRAWS, 2), 1, **options)
    return torch.bincount(out[:, -1], minlength=subject.host.vocabulary) / DRAWS


def temperature_wrong(subject: Subject) -> bool:
    """At some temperature the draws are far from softmax(logits / T)."""
    known = slope(torch.zeros(1, subject.host.vocabulary))[0]
    if subject.host.generate is None:
        return False
    if "temperature" not in subject.host.options:
        return _far(drawn(subject), known.softmax(-1))
    wanted = {at: (known / at).softmax(-1) for at in (0.25, 1.0, 4.0)}
    return any(_far(drawn(subject, temperature=at), want) for at, want in wanted.items())


def top_k_wrong(subject: Subject) -> bool:
    """With k = 5 the draws are not from the five likeliest, as softmax says."""
    if "top_k" not in subject.host.options:
        return False
    known = slope(torch.zeros(1, subject.host.vocabulary))[0]
    least = known.topk(5).values[-1]
    want = known.masked_fill(known < least, -torch.inf).softmax(-1)
    return _far(drawn(subject, top_k=5), want)


def top_p_wrong(subject: Subject) -> bool:
    """With p = 0.4 the draws are not from the smallest set of that probability."""
    if "top_p" not in subject.host.options:
        return False
    known = slope(torch.zeros(1, subject.host.vocabulary))[0].softmax(-1)
    ordered, order = known.sort(descending=True)
    kept = order[: int((ordered.cumsum(-1) < 0.4).sum()) + 1]
    want = torch.zeros_like(known).index_copy(0, kept, known[kept] / known[kept].sum())
    return _far(drawn(subject, top_p=0.4), want)


def _far(share: Tensor, want: Tensor) -> bool:
    return float((share - want).abs().sum()) / 2 > FAR


def training_while_generating(subject: Subject) -> bool:
    """A model in training mode runs in training mode while it generates."""
    modes: list[bool] = []
    _generate_watched(subject, lambda model, _: modes.append(model.training), training=True)
    return any(modes)


def mode_lost(subject: Subject) -> bool:
    """After generating, a model that was training is not, or one that was not is."""
    if subject.host.generate is None:
        return False
    for training in (True, False):
        model = subject.model().train(training)
        subject.host.generate(model, subject.ids(), 1)
        if any(module.training != training for module in model.modules()):
            return True
    return False


def graph_kept(subject: Subject) -> bool:
    """The logits from which tokens are drawn hold on to their graph."""
    graphs: list[bool] = []
    _generate_watched(subject, lambda _, logits: graphs.append(logits.requires_grad))
    return any(graphs)


def _generate_watched(
    subject: Subject, watch: Callable[[nn.Module, Tensor], None], training: bool = False
) -> None:
    if subject.host.generate is None:
        return
    model = subject.model().train(training)

    def seen(logits: Tensor) -> Tensor:
        watch(model, logits)
        return logits

    with_logits(model, seen)
    subject.host.generate(model, subject.ids(), 2)


def window_overrun(subject: Subject) -> bool:
    """Generating beyond the longest sequence raises, or gives the model more than that."""
    if subject.host.generate is None or subject.host.longest is None:
        return False
    lengths: list[int] = []
    model = subject.model()

    def measured(logits: Tensor) -> Tensor:
        lengths.append(logits.shape[1])
        return logits

    with_logits(model, measured)
    try:
        subject.host.generate(model, subject.ids(length=subject.host.longest - 2), 5)
    except Exception:
        return True
    return max(lengths) > subject.host.longest


def end_ignored(subject: Subject) -> bool:
    """Tokens follow although the end token was drawn first."""
    if subject.host.generate is None or "eos" not in subject.host.options:
        return False
    model, prompt = subject.model(), subject.ids(1, 3)
    with_logits(model, lambda logits: 100.0 * slope(logits))
    end = int(slope(torch.zeros(1, subject.host.vocabulary))[0].argmax())
    out = subject.host.generate(model, prompt, 6, eos=end)
    return out.shape[1] > prompt.shape[1] + 1


def zero_temperature_fails(subject: Subject) -> bool:
    """Temperature 0 raises, or does not give the likeliest token."""
    if subject.host.generate is None or "temperature" not in subject.host.options:
        return False
    model, prompt = subject.model(), subject.ids()
    with_logits(model, slope)
    want = int(slope(torch.zeros(1, subject.host.vocabulary))[0].argmax())
    try:
        out = subject.host.generate(model, prompt, 2, temperature=0.0)
    except Exception:
        return True
    return bool((out[:, -2:] != want).any())


def prompt_ignored(subject: Subject) -> bool:
    """The logits from which the first token is drawn do not feel the start of the prompt."""
    if subject.host.generate is None:
        return False
    ids, last = subject.ids(), []

    def kept(logits: Tensor) -> Tensor:
        last.append(logits[:, -1].detach().clone())
        return logits

    for prompt in (ids, changed(subject, ids, slice(None), slice(0, 5))):
        model = subject.model()
        with_logits(model, kept)
        subject.host.generate(model, prompt, 1)
    return moved(last[0], last[1]) < STILL


def wrong_position_read(subject: Subject) -> bool:
    """The first token is not drawn from the logits of the last position."""
    if subject.host.generate is None:
        return False
    model, prompt = subject.model(), subject.ids(length=6)

    def telling(logits: Tensor) -> Tensor:
        positions = torch.arange(logits.shape[1])
        peaks = torch.nn.functional.one_hot(positions, logits.shape[-1]).float()
        return (1000 * peaks).expand(logits.shape).clone()

    with_logits(model, telling)
    out = subject.host.generate(model, prompt, 1)
    return bool((out[:, -1] != prompt.shape[1] - 1).any())


def cache_differs(subject: Subject) -> bool:
    """Token by token with the cache, the logits are not those of all tokens at once."""
    if subject.host.cached is None:
        return False
    model, ids = subject.model(), subject.ids()
    try:
        with torch.no_grad():
            stepwise = subject.host.cached(model, ids)
    except Exception:
        return True
    return differs(subject.logits(model, ids), stepwise)
