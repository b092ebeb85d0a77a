"""Tensors without data that are made from memory are those that torch itself makes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from gptdoctor.probes.instruments.answered import Answered
from gptdoctor.probes.instruments.fake_tensors import FakeTensors


def forms(values: Any) -> Iterator[tuple[Any, ...]]:
    """All that is known of tensors without data."""
    for each in values if isinstance(values, list | tuple) else [values]:
        if isinstance(each, Tensor):
            size, place = each.untyped_storage().nbytes(), each.storage_offset()
            yield each.shape, each.stride(), each.dtype, each.device, place, size, type(each)
        else:
            yield (each,)


class Twice(TorchDispatchMode):
    """Asks torch, then memory twice: the second time it knows."""

    def __init__(self, answered: Answered) -> None:
        super().__init__()
        self.answered = answered
        self.asked: set[str] = set()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if func.namespace != "aten":
            return func(*args, **kwargs)
        expected = func(*args, **kwargs)
        self.answered.ask(func, args, kwargs)
        given = self.answered.ask(func, args, kwargs)
        assert list(forms(given)) == list(forms(expected)), func
        if func.is_view:
            memories = {each.untyped_storage()._cdata for each in args if isinstance(each, Tensor)}
            for each in given if isinstance(given, list | tuple) else [given]:
                assert each.untyped_storage()._cdata in memories, func
        self.asked.add(func.name())
        return given


def attention() -> None:
    """A layer of attention, forward and backward."""
    layer = nn.TransformerEncoderLayer(64, 4, 128, 0.1, batch_first=True)
    layer(torch.randn(2, 9, 64)).sum().backward()


def recurrence() -> None:
    """Two layers that are taken apart, position by position."""
    nn.LSTM(16, 16, 2, batch_first=True)(torch.randn(2, 5, 16))[0].mean().backward()


def pictures() -> None:
    """Strides that are not those of a row after the other."""
    made = nn.Conv2d(3, 8, 3)(torch.randn(2, 3, 16, 16).to(memory_format=torch.channels_last))
    F.max_pool2d(F.gelu(made), 2).flatten(1).logsumexp(-1).sum().backward()


def views() -> None:
    """Parts of one memory: split, unbound, turned, spread, and written into."""
    x = torch.randn(4, 6, 8)
    first, second = x.split(3, dim=1)
    spread = first[:, :1].expand(-1, 3, -1).transpose(1, 2) + second.unbind(0)[0].t()
    x[:, 2].add_(spread.mean(-1)).mul_(2).clamp_(min=0)
    torch.cat([x.half(), x.half() * 1, x.half() * True], -1).topk(3)
    (x.int() / 2, x.int() // 2, x > 1, x.argmax(-1), torch.var_mean(x, -1), x[..., None])


def lookups() -> None:
    """Ids, masks and a loss that leaves some out."""
    ids = torch.randint(50, (2, 9))
    table = nn.Embedding(50, 32)
    logits = F.rms_norm(table(ids), (32,)) @ table.weight.T
    scores = logits.masked_fill(torch.ones(9, 50, dtype=torch.bool).triu(1), float("-inf"))
    F.cross_entropy(scores.flatten(0, 1), ids.flatten(), ignore_index=3).backward()


@pytest.mark.parametrize("work", [attention, recurrence, pictures, views, lookups])
def test_memory_answers_as_torch_does(work: Callable[[], None]) -> None:
    """Shape, strides, dtype, device, place and size in memory, and whose memory it is."""
    fakes = FakeTensors(known=False)
    mode = Twice(fakes._fake.answered)
    with fakes(), mode:
        work()
    assert len(mode.asked) > 10


def test_numbers_of_other_kinds_are_other_questions() -> None:
    """1, 1.0 and True are equal, and what they give with whole numbers is not."""
    with FakeTensors(known=False)():
        whole = torch.ones(3, dtype=torch.int64)
        made = [torch.mul(whole, factor).dtype for factor in (1, 1.0, True, 1, 1.0, True)]
    assert made == [torch.int64, torch.float32, torch.int64] * 2


def test_a_question_that_failed_fails_again() -> None:
    """Sizes that do not fit are told at each layer, and what asks for data is never answered."""
    with FakeTensors(known=False)():
        for _ in range(2):
            with pytest.raises(RuntimeError):
                torch.ones(2, 3) @ torch.ones(4, 5)
            with pytest.raises(Exception, match=r"(?i)data|nonzero"):
                torch.ones(2, 3).nonzero()
