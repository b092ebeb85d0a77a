"""The mask of weights over pairs of positions that no softmax makes, and the line that is wrong."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from gptdoctor.core.measurements.causality import Causality
from gptdoctor.specimen.specimen import Specimen
from tests.probes.flow_models import decoder
from tests.specimen.making import line_of, specimen


def weighed(*lines: str, kept: str = "", mixed: str = "scores @ v") -> str:
    """A decoder that weighs with scores as these lines leave them."""
    return decoder("\n    ".join(("", *lines)), kept=kept).replace("scores.softmax(-1) @ v", mixed)


# Weights that fade by what the text says: each span from a later position would grow instead.
FADING = weighed(
    "total = -F.softplus(self.fade(x) + 4.0).cumsum(1).mT",
    "span = total[..., :, None] - total[..., None, :]",
    "seen = torch.ones(T, T, dtype=torch.bool).tril()",
    "fade = torch.exp(span.masked_fill(~seen, -torch.inf))",
    "scores = scores * fade",
    kept="self.fade = nn.Linear(dim, heads)",
)
# Retention: by a number that distance alone decides.
RETAINED = weighed(
    "apart = torch.arange(T)[:, None] - torch.arange(T)",
    "fade = torch.where(apart >= 0, 0.9**apart, 0.0)",
    "scores = scores * fade",
)
CUT = weighed("scores = scores.tril()", mixed='torch.einsum("bhij,bhjd->bhid", scores, v)')
SQUARED = weighed(
    "hidden = torch.ones(T, T, dtype=torch.bool).triu(1)",
    "scores = scores.masked_fill(hidden, 0.0)",
    "scores = scores.relu().square()",
)
HEALTHY = {"fading": FADING, "retained": RETAINED, "cut": CUT, "squared": SQUARED}
SICK = {
    "fading, one too high": (FADING, ".tril()", ".tril(1)", ".tril(1)"),
    "fading, turned round": (FADING, "(~seen,", "(seen,", "(seen,"),
    "fading, left out": (FADING, "(span.masked_fill(~seen, -torch.inf))", "(span)", "exp(span)"),
    "retained, one too high": (RETAINED, "apart >= 0", "apart >= -1", "apart >= -1"),
    "cut, one too high": (CUT, ".tril()", ".tril(1)", ".tril(1)"),
    "cut, left out": (CUT, "scores.tril()", "scores", "einsum"),
    "squared, one too high": (SQUARED, ".triu(1)", ".triu(2)", ".triu(2)"),
    "squared, left out": (
        SQUARED,
        "scores = scores.masked_fill(hidden, 0.0)",
        "pass",
        "scores.relu()",
    ),
}


def measured(made: Specimen) -> Causality:
    """What the probe measures."""
    found: Causality = import_module("gptdoctor.probes.causality").PROBE.measure(made)
    return found


@pytest.mark.parametrize("name", HEALTHY)
def test_weights_that_hide_the_future_hide_it(tmp_path: Path, name: str) -> None:
    """Without a softmax as with one."""
    found = measured(specimen(tmp_path, HEALTHY[name]))
    assert not found.leaks
    assert found.runs


@pytest.mark.parametrize("name", SICK)
def test_the_mask_of_weights_is_told_at_its_line(tmp_path: Path, name: str) -> None:
    """Also where a long text grows beyond all numbers, and only a short one shows the leak."""
    host, old, new, line = SICK[name]
    assert old in host
    made = specimen(tmp_path, host.replace(old, new))
    found = measured(made)
    assert found.leaks
    assert found.place is not None
    assert found.place.line == line_of(made, line), found.place
