"""Statements of a test that the rules about what follows a text share."""

from __future__ import annotations

from collections.abc import Mapping

from gptdoctor.core.findings import Value

# The functions that these statements measure with, as `Proof.measures` names them.
MEASURES = ("probes.generation:follows", "probes.instruments.weights:jitter")


def followed_test(values: Mapping[str, Value], why: str) -> str:
    """Statements that fail while new tokens are others than a pass over the text so far names.

    "" where `values` hold no call that gives new tokens.
    """
    tokens = values.get("tokens")
    if not tokens:
        return ""
    *before, last = str(values["given"]).splitlines()
    begun = "".join(f"{line}\n" for line in before)
    given = last.replace("random_ids(", "random_ids(seed, ").partition(" = ")[2]
    return f"""\
def fresh():
    return jitter(build(), 0.3, seed=0).eval()  # so that some tokens are clearly the likeliest

{begun}steps = []
for seed in range(8):
    ids, model = {given}, sharpened(fresh())
    with torch.no_grad():
        torch.manual_seed(0)
        new = {tokens}
        rows = ids.reshape(-1, ids.shape[-1])
        new = new.reshape(len(rows), -1)
        for step in range(1, new.shape[1]):
            text = torch.cat([rows, new[:, :step]], dim=1)
            steps.append(follows(new[:, step], logits(fresh(), text)[:, -1]))
clear, agreeing = (sum(getattr(one, name) for one in steps) for name in ("rows", "agreeing"))
assert 4 * agreeing >= 3 * clear, f"{{agreeing}} of {{clear}} tokens {why}"
"""
