"""Probe depth: what the blocks of a model do to gradients, and whether their inputs pass."""

from __future__ import annotations

import inspect
import itertools
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace

import torch
from torch import Tensor, nn

from gptdoctor.core.measurements.depth import Depth, GradientJump, MissingPath, Stack
from gptdoctor.probes.expert_routing import random_objective
from gptdoctor.probes.instruments.block_gradients import gradient_jump
from gptdoctor.probes.instruments.missing_paths import missing_path
from gptdoctor.probes.instruments.requirements import require_forward
from gptdoctor.probes.instruments.stacks import (
    Blocks,
    BlockWatch,
    Stream,
    block_lists,
    depends,
    goes_around,
    gradient_norms,
    identity_share,
    in_turns,
    lengthened,
)
from gptdoctor.probes.probe import Abstention, Probe
from gptdoctor.specimen.failures import FAILURES
from gptdoctor.specimen.places import project_path
from gptdoctor.specimen.specimen import Specimen

# Enough for a factor of each layer to show, without the cost of a real depth.
LAYERS = 6
# Directions: with 3 x 7 x 64 numbers a cosine of 0 is measured to within 0.02.
DRAWS = 3
# Below this a block is looked into.  One that adds ten times its input has a share of 0.1.
LOOKED_INTO = 0.08
# What a block multiplies the gradient by where nobody asks why: healthy ones, by 1.0 to 2.5.
TAME = (0.6, 4.0)


@contextmanager
def _deep(specimen: Specimen) -> Iterator[tuple[nn.Module, bool, bool]]:
    """The model with more layers: built so, else with copies of those it has, else as it is.

    With whether it has more, and whether it was built so.
    """
    remade = nullcontext(None) if specimen.remade is None else specimen.remade(layers=LAYERS)
    with remade as other:
        deeper = other is not None and _blocks(other) > _blocks(specimen.model)
        if other is not None and deeper and _runs(specimen, other.train()):
            yield other, True, True
            return
    try:
        copies = lengthened(specimen.copy(), LAYERS)
    except FAILURES:  # what the blocks hold cannot be copied
        copies = specimen.copy()
    deeper = _blocks(copies) > _blocks(specimen.model) and _runs(specimen, copies)
    yield (copies if deeper else specimen.copy()), deeper, False


def _runs(specimen: Specimen, model: nn.Module) -> bool:
    try:
        with torch.no_grad():
            _objective(specimen, model)
    except FAILURES:
        return False
    return True


def _blocks(model: nn.Module) -> int:
    return sum(len(blocks.members) for blocks in block_lists(model))


def _objective(specimen: Specimen, model: nn.Module) -> Tensor | None:
    """Fixed random numbers times the logits: no labels, and no loss of the model's own."""
    specimen.reseed()
    outputs = specimen.call(model, specimen.inputs())
    vectors = outputs.features if outputs.logits is None else outputs.logits
    if vectors is None:
        return outputs.loss
    return random_objective(vectors.float())


def _stacks(specimen: Specimen, model: nn.Module) -> Iterator[Stack]:
    watch = BlockWatch(tuple(block_lists(model)))
    with watch:
        objective = _objective(specimen, model)
    if watch.without_graph and model.training:  # most check points stand in training alone
        yield from _stacks(specimen, model.eval())
        return
    if watch.without_graph:
        raise Abstention(
            "its blocks run where no graph is made: no_grad, or a reentrant checkpoint"
        )
    if objective is None or not objective.requires_grad:
        return
    chains = [blocks for blocks in watch.lists if blocks.in_a_row and _is_chain(blocks)]
    for blocks in in_turns(chains):
        yield _stack(specimen, model, blocks, objective)


def _is_chain(blocks: Blocks) -> bool:
    """Whether each block works on what the one before it gave, and not beside it."""
    firsts = [blocks.given[index][0] for index in blocks.called]
    return all(
        _differ(before, after) and depends(after, before)
        for before, after in itertools.pairwise(firsts)
    )


def _stack(specimen: Specimen, model: nn.Module, blocks: Blocks, objective: Tensor) -> Stack:
    firsts = [blocks.given[index][0] for index in blocks.called]
    identity, bypassed = _identity(blocks)
    missing = None
    if identity is not None and identity < LOOKED_INTO and not bypassed:
        missing = _missing(specimen, model, blocks)
    block = blocks.owner if blocks.in_rounds else blocks.members[0]
    code = getattr(inspect.unwrap(type(block).forward), "__code__", None)
    path = project_path(code.co_filename, specimen.root) if code is not None else None
    stack = Stack(
        name=blocks.name,
        path=path or "",
        symbol=type(block).__qualname__,
        blocks=len(blocks.called),
        gradient_norms=gradient_norms(objective, firsts),
        input_norms=tuple(stream.norm for stream in firsts),
        identity=identity,
        bypassed=bypassed,
        missing=missing,
    )
    factor = stack.gradient_factor
    if factor is None or _is_tame(stack):
        return stack
    return replace(stack, jump=_jump(specimen, model, blocks, grows=factor > 1))


def _is_tame(stack: Stack) -> bool:
    """Whether nobody asks what its blocks multiply the gradient by."""
    factor = stack.gradient_factor
    return factor is None or TAME[0] <= factor <= TAME[1]


def _jump(
    specimen: Specimen, model: nn.Module, blocks: Blocks, *, grows: bool
) -> GradientJump | None:
    """Where in the last block but one the gradient changes most."""
    index = len(blocks.called) - 2
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch would name our frame for the user's
        found = gradient_jump(
            lambda: _objective(specimen, model),
            grows,
            blocks.owner,
            blocks.members[index],
            blocks.members[index + 1],
            specimen.root,
            in_rounds=blocks.in_rounds,
        )
    return None if found is None else GradientJump(**vars(found))


def _identity(blocks: Blocks) -> tuple[float | None, bool]:
    """The largest share of any stream that passes the last but one block, and a way around it.

    The first block stands on embeddings of any size, and is not asked.
    """
    index = len(blocks.called) - 2
    if index < 1:
        return None, False
    before, after = blocks.given[index], blocks.given[index + 1]
    pairs = [(one, two) for one in before for two in after if _differ(one, two)]
    if not pairs or any(one.shape != two.shape for one, two in pairs):
        return None, False
    share = max(identity_share(one, two, DRAWS) for one, two in pairs)
    weights = [each for each in blocks.members[index - 1].parameters() if each.requires_grad]
    return share, share < LOOKED_INTO and goes_around(after[0], before, list(weights))


def _differ(one: Stream, two: Stream) -> bool:
    """Whether two streams are two: what all blocks are given alike passes none of them."""
    return one.edge != two.edge


def _missing(specimen: Specimen, model: nn.Module, blocks: Blocks) -> MissingPath | None:
    index = len(blocks.called) - 2
    following = blocks.members[index + 1]

    def run() -> object:
        return _objective(specimen, model)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch would name our frame for the user's
        return missing_path(
            run,
            blocks.owner,
            blocks.members[index],
            following,
            specimen.root,
            in_rounds=blocks.in_rounds,
        )


def measure(specimen: Specimen) -> Depth:
    """The stacks of the model, made deeper where that can be done."""
    require_forward(specimen)
    if not any(True for _ in block_lists(specimen.model)):
        return Depth(stacks=(), deeper=False)
    with _deep(specimen) as (model, deeper, built):
        stacks = tuple(_stacks(specimen, model))
    build = ""
    asked = any(not _is_tame(one) or one.missing is not None for one in stacks)
    if built and specimen.remade_code is not None and asked:
        build = specimen.remade_code(layers=LAYERS)
    return Depth(stacks=stacks, deeper=deeper, build=build)


PROBE = Probe(name="depth", order=62, measure=measure)
