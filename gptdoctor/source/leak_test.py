"""Statements of a test that the rules about later tokens share."""

from __future__ import annotations

# The functions that these statements measure with, as `Proof.measures` names them.
MEASURES = ("probes.causality:moved_outputs", "probes.instruments.weights:jitter")


def later_tokens_test(length: object) -> str:
    """Statements that fail while later tokens move earlier logits, in a text of this length."""
    return f"""\
model = jitter(build().eval(), 0.1, seed=0)  # small first weights hide what flows
length = {length}
text = random_ids(batch=1, length=length)[0]
places = [[position] for position in range(length)]
with torch.no_grad():
    moved = moved_outputs(lambda ids: logits(model, ids), text, other_ids(text), places)
early = moved.tril(-1)  # [token, output]: outputs that stand before the token
assert early.max() <= 1e-5, f"later tokens move earlier logits by {{early.max():.2g}}"
"""
