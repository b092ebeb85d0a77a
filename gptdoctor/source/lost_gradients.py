"""What the rules about lost gradients share: their words for parameters, and their test."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

from gptdoctor.core.findings import Value
from gptdoctor.source.laid_out import laid_out

# The function that these statements measure with, as `Proof.measures` names it.
MEASURE = "probes.gradient_flow:gradient_state"
# What is made without gradients on purpose.
MEANT = {
    "weight": "what it makes weighs the loss, which trains the same parameters",
    "target": "what it makes is what something else is drawn to",
    "repeated": "all that works in it is trained where it works again with gradients",
    "": "a comment says that it is meant",
}


def lost_gradients_test(names: object) -> str:
    """Statements that fail while parameters, told by name, get no gradient; "": there are none."""
    if not isinstance(names, tuple) or not names:
        return ""
    listed = "".join(f'    "{name}",\n' for name in names)
    return (
        f"names = [\n{listed}]\n"
        "model = build()\n"
        "for seed in range(8):  # some parts, as experts, have nothing to do with every text\n"
        "    loss(model, random_ids(seed)).backward()\n"
        "parameters = dict(model.named_parameters())\n"
        "states = {name: gradient_state(parameters[name]) for name in names}\n"
        "reached = set(states.values())  # some are zero for want of a choice, never all\n"
        'assert {"flows"} <= reached <= {"flows", "zero"}, f"no gradient reaches them: {states}"\n'
    )


def made_deeper(statements: str, values: Mapping[str, Value]) -> str:
    """The statements, of the deeper instance that shows a finding where `build()` does not."""
    build = values.get("build")
    if not build or not statements:
        return statements
    made = textwrap.indent(laid_out(f"return {build}"), "    ")
    deeper = f"def deeper():\n    torch.manual_seed(0)\n{made}\n\n"
    return deeper + statements.replace("build()", "deeper()")


def dark_rows_test(names: object, share: float) -> str:
    """Statements that fail while so large a share of weights, told by name, gets no gradient."""
    if not isinstance(names, tuple) or not names:
        return ""
    listed = "".join(f'    "{name}",\n' for name in names)
    return (
        f"names = [\n{listed}]\n"
        "model = build()\n"
        "for seed in range(3):\n"
        "    loss(model, random_ids(seed)).backward()\n"
        "parameters = dict(model.named_parameters())\n"
        "dark = {name: float((parameters[name].grad == 0).float().mean()) for name in names}\n"
        f"least = {share:.4g} - 1e-3\n"
        'assert max(dark.values()) < least, f"no gradient reaches so much of them: {dark}"\n'
    )


def enumerated(names: tuple[str, ...]) -> str:
    """The first names of a list that may be long."""
    shown = ", ".join(names[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown
