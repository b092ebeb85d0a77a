"""Faults of guards: what is accepted that should be refused with a clear error."""

from __future__ import annotations

from benchmarks.mutations.effects.inputs import (
    masked_row_not_finite,
    nothing_unguarded,
    overlong_accepted,
    overlong_unguarded,
    strange_ids_accepted,
)
from benchmarks.mutations.operator import Operator, Rewrite

GUARD = "if C:\n    raise E(M)"
EMPTY = {"C": r".*(None and|== 0|is None|0 <).*"}
LONG = {"C": r".*(>|<=).*"}
IDS = {"X": "idx|input_ids|tokens|tgt|x|inp"}
EMBEDDING = {"EMB": "Embedding"}

OPERATORS = (
    Operator(
        name="nothing-unguarded",
        family="inputs",
        digits=(7,),
        says="a call without anything is no longer refused",
        effects=(nothing_unguarded,),
        rewrites=(Rewrite(before=GUARD, after="", where=EMPTY),),
    ),
    Operator(
        name="nothing-asserted",
        family="inputs",
        digits=(7,),
        says="a call without anything is refused by an assert alone",
        effects=(nothing_unguarded,),
        rewrites=(Rewrite(before=GUARD, after="assert not (C), M", where=EMPTY),),
    ),
    Operator(
        name="ids-clamped",
        family="inputs",
        digits=(7,),
        says="ids beyond the vocabulary become its last one",
        effects=(strange_ids_accepted,),
        rewrites=(
            Rewrite(
                before="self.EMB(X)",
                after="self.EMB(X.clamp(max=self.EMB.num_embeddings - 1))",
                where=IDS,
                made_by=EMBEDDING,
            ),
            Rewrite(
                before="self.transformer.wte(X)",
                after="self.transformer.wte(X.clamp(max=self.config.vocab_size - 1))",
            ),
            Rewrite(
                before="F.embedding(X, Y)", after="F.embedding(X.clamp(max=Y.shape[0] - 1), Y)"
            ),
        ),
    ),
    Operator(
        name="ids-wrapped",
        family="inputs",
        digits=(7,),
        says="ids beyond the vocabulary begin again at zero",
        effects=(strange_ids_accepted,),
        rewrites=(
            Rewrite(
                before="self.EMB(X)",
                after="self.EMB(X % self.EMB.num_embeddings)",
                where=IDS,
                made_by=EMBEDDING,
            ),
            Rewrite(
                before="self.transformer.wte(X)",
                after="self.transformer.wte(X % self.config.vocab_size)",
            ),
            Rewrite(before="F.embedding(X, Y)", after="F.embedding(X % Y.shape[0], Y)"),
        ),
    ),
    Operator(
        name="positions-wrapped",
        family="inputs",
        digits=(7,),
        says="positions beyond the longest sequence begin again at zero",
        effects=(overlong_accepted,),
        rewrites=(
            Rewrite(
                before="self.EMB(torch.arange(*A, **K))",
                after="self.EMB(torch.arange(*A, **K) % self.EMB.num_embeddings)",
                made_by=EMBEDDING,
            ),
            Rewrite(
                before="self.EMB(X)",
                after="self.EMB(X % self.EMB.num_embeddings)",
                where={"X": r"positions?|position_ids|pos"},
                made_by=EMBEDDING,
            ),
        ),
    ),
    Operator(
        name="positions-clamped",
        family="inputs",
        digits=(7,),
        says="positions beyond the longest sequence are all the last one",
        effects=(overlong_accepted,),
        rewrites=(
            Rewrite(
                before="self.EMB(torch.arange(*A, **K))",
                after="self.EMB(torch.arange(*A, **K).clamp(max=self.EMB.num_embeddings - 1))",
                made_by=EMBEDDING,
            ),
            Rewrite(
                before="self.EMB(X)",
                after="self.EMB(X.clamp(max=self.EMB.num_embeddings - 1))",
                where={"X": r"positions?|position_ids|pos"},
                made_by=EMBEDDING,
            ),
        ),
    ),
    Operator(
        name="overlong-unguarded",
        family="inputs",
        digits=(7,),
        says="more tokens than there are positions are no longer refused",
        effects=(overlong_unguarded,),
        rewrites=(Rewrite(before=GUARD, after="", where=LONG, within="forward"),),
    ),
    Operator(
        name="overlong-asserted",
        family="inputs",
        digits=(7,),
        says="more tokens than there are positions are refused by an assert alone",
        effects=(overlong_unguarded,),
        rewrites=(Rewrite(before=GUARD, after="assert not (C), M", where=LONG, within="forward"),),
    ),
    Operator(
        name="masked-row-nan",
        family="inputs",
        digits=(7, 9),
        says="a row that is all padding becomes NaN",
        effects=(masked_row_not_finite,),
        rewrites=(
            Rewrite(before="X.masked_fill(Y, minimum)", after="X.masked_fill(Y, float('-inf'))"),
            Rewrite(before="X.masked_fill(Y, -1e9)", after="X.masked_fill(Y, float('-inf'))"),
        ),
    ),
)
