"""Faults of generation."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.mutations.edit import Edit, Tree, undecorated
from benchmarks.mutations.effects.sampling import (
    cache_differs,
    end_ignored,
    graph_kept,
    mode_lost,
    prompt_ignored,
    temperature_wrong,
    top_k_wrong,
    top_p_wrong,
    training_while_generating,
    window_overrun,
    wrong_position_read,
    zero_temperature_fails,
)
from benchmarks.mutations.operator import Operator, Rewrite

DRAWING = "generate|sample"
WINDOW = {"N": r".*(block_size|max_\w+)"}


def _graph_kept(tree: Tree) -> Iterator[Edit]:
    return undecorated(tree, DRAWING, r"torch\.(no_grad|inference_mode)\(\)")


OPERATORS = (
    Operator(
        name="temperature-ignored",
        family="sampling",
        digits=(4,),
        says="the temperature has no effect",
        effects=(temperature_wrong,),
        rewrites=(
            Rewrite(before="X / temperature", after="X", within=DRAWING),
            Rewrite(before="X / max(temperature, Y)", after="X", within=DRAWING),
        ),
    ),
    Operator(
        name="temperature-inverted",
        family="sampling",
        digits=(4,),
        says="logits are multiplied by the temperature",
        effects=(temperature_wrong,),
        rewrites=(
            Rewrite(before="X / temperature", after="X * temperature", within=DRAWING),
            Rewrite(
                before="X / max(temperature, Y)",
                after="X * max(temperature, Y)",
                within=DRAWING,
            ),
        ),
    ),
    Operator(
        name="temperature-on-probabilities",
        family="sampling",
        digits=(4,),
        says="probabilities, not logits, are divided by the temperature",
        effects=(temperature_wrong,),
        rewrites=(
            Rewrite(
                before="F.softmax(X / T, dim=-1)",
                after="F.softmax(X, dim=-1) / T",
                within=DRAWING,
            ),
            Rewrite(
                before="X / temperature + NOISE",
                after="(X + NOISE) / temperature",
                within=DRAWING,
            ),
            Rewrite(
                before="X / temperature",
                after="F.softmax(X, dim=-1) / temperature",
                within=DRAWING,
            ),
        ),
    ),
    Operator(
        name="greedy",
        family="sampling",
        digits=(4,),
        says="the likeliest token is taken where sampling is promised",
        effects=(temperature_wrong,),
        rewrites=(
            Rewrite(
                before="torch.multinomial(X, *A, **K)",
                after="torch.argmax(X, dim=-1, keepdim=True)",
                within=DRAWING,
            ),
            Rewrite(before="(X + gumbel).argmax(dim=-1)", after="(X).argmax(dim=-1)"),
        ),
    ),
    Operator(
        name="top-k-without-effect",
        family="sampling",
        digits=(4,),
        says="logits below the threshold of top-k stay",
        effects=(top_k_wrong,),
        rewrites=(
            Rewrite(before="X[X < Y] = Z", after="", within=DRAWING),
            Rewrite(before="X.masked_fill(X < Y, Z)", after="X", within=DRAWING),
            Rewrite(before="torch.where(X < Y, Z, X)", after="X", within=DRAWING),
        ),
    ),
    Operator(
        name="top-k-keeps-smallest",
        family="sampling",
        digits=(4,),
        says="top-k removes the likely tokens",
        effects=(top_k_wrong,),
        rewrites=(
            Rewrite(before="X[X < Y] = Z", after="X[X >= Y] = Z", within=DRAWING),
            Rewrite(before="X < kept[:, -1:]", after="X >= kept[:, -1:]", within=DRAWING),
            Rewrite(before="X < threshold", after="X >= threshold", within=DRAWING),
        ),
    ),
    Operator(
        name="top-p-wrong-side",
        family="sampling",
        digits=(4,),
        says="top-p removes the likely tokens",
        effects=(top_p_wrong,),
        rewrites=(
            Rewrite(before="X > p", after="X <= p", within=DRAWING),
            Rewrite(before="X > top_p", after="X <= top_p", within=DRAWING),
        ),
    ),
    Operator(
        name="top-p-rank-as-token",
        family="sampling",
        digits=(4,),
        says="the rank in the sorted list is taken for the token",
        effects=(top_p_wrong, temperature_wrong),
        rewrites=(
            Rewrite(before="torch.gather(X, -1, Y)", after="Y", within=DRAWING),
            Rewrite(before="X.scatter(1, I, Y)", after="Y", within=DRAWING),
        ),
    ),
    Operator(
        name="training-while-generating",
        family="sampling",
        digits=(4,),
        says="the model is not put into evaluation mode while it generates",
        effects=(training_while_generating,),
        rewrites=(Rewrite(before="self.eval()", after="", within=DRAWING),),
    ),
    Operator(
        name="mode-not-restored",
        family="sampling",
        digits=(4,),
        says="the model stays in evaluation mode after generating",
        effects=(mode_lost,),
        rewrites=(Rewrite(before="self.train(X)", after="", within=DRAWING),),
    ),
    Operator(
        name="graph-kept",
        family="sampling",
        digits=(4,),
        says="generation keeps a graph for each token",
        effects=(graph_kept,),
        custom=_graph_kept,
        lines="function",
        rewrites=(
            Rewrite(
                before="with torch.no_grad():\n    BODY",
                after="with torch.enable_grad():\n    BODY",
                within=DRAWING,
            ),
        ),
    ),
    Operator(
        name="window-not-cropped",
        family="sampling",
        digits=(4,),
        says="generation runs beyond the longest sequence",
        effects=(window_overrun,),
        rewrites=(Rewrite(before="X[:, -N:]", after="X", where=WINDOW, within=DRAWING),),
    ),
    Operator(
        name="end-ignored",
        family="sampling",
        digits=(4,),
        says="generation goes on after the end token",
        effects=(end_ignored,),
        rewrites=(
            Rewrite(
                before="if X:\n    break",
                after="",
                where={"X": r"(?s).*(eos|finished).*"},
                within=DRAWING,
            ),
        ),
    ),
    Operator(
        name="zero-temperature-crashes",
        family="sampling",
        digits=(4,),
        says="temperature 0 divides by zero",
        effects=(zero_temperature_fails,),
        rewrites=(
            Rewrite(before="if temperature == 0.0:\n    return X", after="", within=DRAWING),
            Rewrite(before="temperature > 0", after="temperature >= 0", within=DRAWING),
            Rewrite(before="max(temperature, X)", after="temperature", within=DRAWING),
        ),
    ),
    Operator(
        name="prompt-ignored",
        family="sampling",
        digits=(4,),
        says="each token is drawn from the token before it alone",
        effects=(prompt_ignored,),
        rewrites=(
            Rewrite(before="X[:, -N:]", after="X[:, -1:]", where=WINDOW, within=DRAWING),
            Rewrite(before="self.forward(X)", after="self.forward(X[:, -1:])", within=DRAWING),
            Rewrite(before="self(X)[:, -1]", after="self(X[:, -1:])[:, -1]", within=DRAWING),
            Rewrite(before="X if past is None else X[:, -1:]", after="X[:, -1:]", within=DRAWING),
        ),
    ),
    Operator(
        name="first-position-read",
        family="sampling",
        digits=(4,),
        says="the token is drawn from the logits of the first position",
        effects=(wrong_position_read,),
        rewrites=(
            Rewrite(before="X[:, -1, :]", after="X[:, 0, :]", within=DRAWING),
            Rewrite(before="X[:, -1]", after="X[:, 0]", within=DRAWING),
        ),
    ),
    Operator(
        name="cache-position-from-zero",
        family="sampling",
        digits=(4,),
        says="with a cache, positions start at zero again",
        effects=(cache_differs,),
        rewrites=(
            Rewrite(before="torch.arange(S, S + X, **K)", after="torch.arange(X, **K)"),
            Rewrite(
                before="torch.arange(*A, **K) + past_seen_tokens", after="torch.arange(*A, **K)"
            ),
        ),
    ),
    Operator(
        name="cache-mask-from-zero",
        family="sampling",
        digits=(4,),
        says="with a cache, the causal mask is that of the first tokens",
        effects=(cache_differs,),
        rewrites=(Rewrite(before="X.tril(diagonal=S - T)", after="X.tril()"),),
    ),
    Operator(
        name="cache-order-exchanged",
        family="sampling",
        digits=(4,),
        says="new keys are put before the old ones",
        effects=(cache_differs,),
        rewrites=(
            Rewrite(
                before="torch.cat([cache.k, X], dim=2)", after="torch.cat([X, cache.k], dim=2)"
            ),
        ),
    ),
)
