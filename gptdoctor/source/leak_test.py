"""Statements of a test that the rules about later tokens share."""

from __future__ import annotations

import re

# The functions that these statements measure with, as `Proof.measures` names them.
MEASURES = ("probes.causality:moved_outputs", "probes.instruments.weights:jitter")


_IN_TRAINING = """\
model.train()
for module in model.modules():  # without what draws random numbers or looks at the whole batch
    if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
        module.eval()
    if isinstance(module, torch.nn.modules.dropout._DropoutNd):
        module.p = 0.0
    for name, value in list(vars(module).items()):
        if "drop" in name and isinstance(value, float):
            setattr(module, name, 0.0)
"""


def later_tokens_test(length: object, how: str = "as called") -> str:
    """Statements that fail while later tokens move earlier logits, in a text of this length.

    `how`: the way in which the model is called, as the probe causality tells it; "" where a test
    cannot call it so.
    """
    way = _way(how)
    if way is None:
        return ""
    prepared, more = way
    return f"""\
model = jitter(build().eval(), 0.1, seed=0)  # small first weights hide what flows
{prepared}length = {length}
text = random_ids(batch=1, length=length)[0]
places = [[position] for position in range(length)]
with torch.no_grad():
    moved = moved_outputs(lambda ids: logits(model, ids{more}), text, other_ids(text), places)
early = moved.tril(-1)  # [token, output]: outputs that stand before the token
assert early.max() <= 1e-5, f"later tokens move earlier logits by {{early.max():.2g}}"
"""


def _way(how: str) -> tuple[str, str] | None:
    """Statements that make the model run so, and what the call is given besides; None: unknown."""
    if how == "as called":
        return "", ""
    if how == "in training":
        return _IN_TRAINING, ""
    path = re.fullmatch(r"attention: (eager|sdpa)", how)
    if path is not None:
        return f'model.set_attn_implementation("{path[1]}")\n', ""
    flag = re.fullmatch(r"(\w+)=(True|False)", how)
    if flag is not None:
        name, value = flag.groups()
        switched = (
            "for module in model.modules():\n"
            f'    if isinstance(vars(module).get("{name}"), bool):\n'
            f"        module.{name} = {value}\n"
        )
        return switched, ""
    mask = re.fullmatch(r"(\w+) of (ones|zeros)", how)
    if mask is not None:
        kind = "long" if mask[2] == "ones" else "bool"
        return "", f", {mask[1]}=torch.{mask[2]}(ids.shape, dtype=torch.{kind})"
    return None
