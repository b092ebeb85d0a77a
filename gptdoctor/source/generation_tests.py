"""What the tests of rules about methods that generate share: the text of their statements."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

from gptdoctor.core.findings import Value

# Tokens that are drawn where a method takes many rows at once, and calls where it takes one.
CALLS = 512


def draws(values: Mapping[str, Value], *, indent: str = "", rows: int = CALLS) -> str:
    """A statement that sets `drawn` to tokens [R], of as many calls as it takes; "" if unknown."""
    tokens, given = (str(values.get(key) or "") for key in ("tokens", "given"))
    if not tokens:
        return ""
    one = "batch=1," in given or "expand(1," in given
    text = f"drawn = {tokens}.flatten()"
    if one:
        text = f"drawn = torch.cat([{tokens}.flatten() for _ in range({rows})])"
    return textwrap.indent(f"with torch.no_grad():\n    {text}\n", indent)


def known(values: Mapping[str, Value], logits: str = "known_logits(V)") -> str:
    """Statements that set `known` [V], the model that gives them, and what a method goes on from.

    They need `known_logits` among the measures.
    """
    given = str(values.get("given") or "").replace("known_logits(V)", "known")
    asked = (
        "build().eval()"
        if "\nlogits = " in f"\n{given}"
        else "with_known_logits(build().eval(), known)"
    )
    return f"known = {logits}\nmodel = {asked}\n{given}\n"


def follows_temperature(values: Mapping[str, Value]) -> str:
    """Draws at three temperatures, each against softmax(z / T); "" if the call is not known."""
    drawing = draws(values, indent="    ")
    if not drawing:
        return ""
    return (
        f"{known(values)}"
        "for temperature in (0.25, 1.0, 4.0):\n"
        f"{drawing}"
        "    wanted = (known / temperature).softmax(dim=-1)\n"
        "    apart = distance(histogram(drawn, V), wanted)\n"
        "    # 512 draws of the right distribution stay within 0.13.\n"
        '    assert apart <= 0.2, f"{apart:.2f} from softmax(z / T) at T = {temperature}"\n'
    )


TEMPERATURE_MEASURES = (
    "probes.instruments.filter_draws:known_logits",
    "probes.sampling:histogram",
    "probes.sampling:distance",
)


def keeps_likeliest(values: Mapping[str, Value], logits: str) -> str:
    """Draws through a filter: the likeliest tokens alone, as many as may be."""
    numbers = values.get("right_numbers")
    drawing = draws(values, rows=64)
    if not drawing and values.get("error") and values.get("call"):
        drawing = f"with torch.no_grad():\n    {values['call']}\n"
        return f"{known(values, logits)}{drawing}"
    if not drawing or not isinstance(numbers, tuple):
        return ""
    return (
        f"{known(values, logits)}"
        f"{drawing}"
        "ranks = ranks_drawn(drawn, known).tolist()\n"
        'assert ranks == list(range(len(ranks))), f"ranks {ranks[:9]} are left, 0 the likeliest"\n'
        f'assert len(ranks) in {numbers!r}, f"{{len(ranks)}} tokens are left"\n'
    )


FILTER_MEASURES = (
    "probes.instruments.filter_draws:known_logits",
    "probes.instruments.filter_draws:ranks_drawn",
)


def watched(values: Mapping[str, Value], mode: str, watch: str, grad: bool = False) -> str:
    """The model in a mode, a call of the method, and in `seen` what `watch` gives in each pass."""
    call, given = values.get("call"), values.get("given")
    if not call:
        return ""
    making = f"{call}\n" if grad else f"with torch.no_grad():\n    {call}\n"
    seen = _SEEING.format(watch=watch) if watch else ""
    return f"model = build().{mode}()\n{given}\n{seen}{making}"


# A method may call `forward` by its name, of which no hook hears.
_SEEING = """\
seen = []

def forward(*args, entry=model.forward, **kwargs):
    seen.append({watch})
    return entry(*args, **kwargs)

model.forward = forward
"""
