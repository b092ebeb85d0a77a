"""Examinations written by hand from the types: what reports must be able to tell."""

from __future__ import annotations

import dataclasses
import math

from gptdoctor.core.diagnosis import (
    Environment,
    Examination,
    ModelDiagnosis,
    SkippedFile,
    SourceError,
    SpecimenFacts,
    UnmeasuredProbe,
    Verdict,
)
from gptdoctor.core.findings import (
    Evidence,
    Finding,
    Location,
    ModelEvidence,
    Severity,
    Status,
    Value,
)
from gptdoctor.core.repairs import Applicability, FixOffer, Outcome, Patch, RepairOutcome
from gptdoctor.diagnose.gate import GateResult

FOUR_O = "reference_models/gpt4o_model.py"
FIVE = "reference_models/gpt5_model.py"
O_THREE = "reference_models/gpto3_model.py"

ENVIRONMENT = Environment(
    python="3.12.4",
    executable="",
    torch="2.6.0",
    platform="Linux-6.1-x86_64",
    seed=0,
    live=True,
)


def place(path: str, line: int, column: int, length: int) -> Location:
    """A range within one line."""
    return Location(path=path, line=line, column=column, end_line=line, end_column=column + length)


def confirmed(probe: str, **values: Value) -> Evidence:
    """Evidence of a measurement that shows harm."""
    return Evidence(status=Status.CONFIRMED, probe=probe, values=values)


def witnesses(evidence: Evidence, **paths: str) -> tuple[ModelEvidence, ...]:
    """The same evidence from several models."""
    return tuple(
        ModelEvidence(name=name, path=path, evidence=evidence) for name, path in paths.items()
    )


def offer(title: str, applicability: Applicability = Applicability.SAFE) -> FixOffer:
    """A fix."""
    return FixOffer(applicability=applicability, title=title)


_ENTROPY = confirmed(
    "gradient-flow",
    operation="no_grad",
    objective="shifted cross-entropy",
    parameters_gained=2,
    parameters_gained_names=("trigger_head.weight", "trigger_head.bias"),
    parameters_changed=31,
    largest_relative_change=0.41,
)
NO_GRAD = Finding(
    rule="GD101",
    name="no-grad-in-forward",
    severity=Severity.CRITICAL,
    location=place(O_THREE, 178, 5, 16),
    symbol="GPTo3Model._token_entropy",
    message=(
        "`@torch.no_grad()` lets no gradient through `_token_entropy`, which the training "
        "forward uses: what stands behind it learns nothing"
    ),
    excerpt="@torch.no_grad()",
    evidence=_ENTROPY,
    model="GPTo3Model",
    models=witnesses(_ENTROPY, GPTo3Model=O_THREE),
    fix=offer("Remove the decorator"),
)

_OVERWRITE = confirmed(
    "expert-routing",
    experts_list="reasoner.experts",
    experts=4,
    experts_run=4,
    rows_run=84,
    rows_lost=42,
    rows_overwritten=42,
)
OVERWRITTEN = Finding(
    rule="GD201",
    name="expert-output-overwritten",
    severity=Severity.CRITICAL,
    location=place(O_THREE, 112, 21, 19),
    symbol="StructuredReasoner.forward",
    message=(
        "each pass over the top-k choices overwrites what the pass before wrote, and the "
        "router's weights are not applied"
    ),
    excerpt="z_new[mask] = z_upd",
    evidence=_OVERWRITE,
    model="GPTo3Model",
    models=witnesses(_OVERWRITE, GPTo3Model=O_THREE),
    fix=offer("Weight the experts' outputs and add them up"),
)

_TRANSPOSE = confirmed(
    "shapes",
    dimensions=3,
    case="B=3 T=7",
    error="RuntimeError: The size of tensor a (3) must match the size of tensor b (7)",
    shapes=("x [3, 7, 64]",),
    row_influence=0.93,
)
TRANSPOSED = Finding(
    rule="GD301",
    name="transposed-gate",
    severity=Severity.HIGH,
    location=place(FOUR_O, 80, 56, 14),
    symbol="HybridFFN.forward",
    message="`gate_weights.T` reverses all dimensions of a [B, T, E] tensor | not the last two",
    excerpt="w.unsqueeze(-1) * expert(x) for w, expert in zip(gate_weights.T, self.experts)",
    evidence=_TRANSPOSE,
    model="GPT4oModel",
    models=witnesses(_TRANSPOSE, GPT4oModel=FOUR_O),
    fix=offer("Iterate over the last dimension"),
)

_IMPORT = confirmed(
    "import-dependencies",
    module="apt_model.modeling.blocks",
    name=None,
    needed=True,
    guarded=False,
    error="ModuleNotFoundError: No module named 'apt_model'",
)
IMPORT = Finding(
    rule="GD501",
    name="unresolved-import",
    severity=Severity.HIGH,
    location=place(FIVE, 18, 1, 53),
    symbol="",
    message="there is no module `apt_model.modeling.blocks`: the model cannot be imported",
    excerpt="from apt_model.modeling.blocks import VeinProjector",
    evidence=_IMPORT,
    model="GPT5Model",
    models=witnesses(_IMPORT, GPT5Model=FIVE),
    fix=offer("Import the name from where it is"),
)

_NO_LOSS = confirmed(
    "training-interface",
    loss_returned=False,
    loss_methods=(),
    label_parameters=(),
    loss_nats=None,
    uniform_loss_nats=4.5747,
)
NO_LOSS = Finding(
    rule="GD601",
    name="no-training-loss",
    severity=Severity.MEDIUM,
    location=place(O_THREE, 127, 1, 27),
    symbol="GPTo3Model",
    message="GPTo3Model returns logits and offers no loss",
    excerpt="class GPTo3Model(nn.Module):",
    evidence=_NO_LOSS,
    model="GPTo3Model",
    models=witnesses(_NO_LOSS, GPTo3Model=O_THREE),
    fix=offer("Add compute_loss with the shifted cross-entropy"),
)

_BLOCKED = Evidence(
    status=Status.SUSPECTED,
    reason=f"blocked by the import at {FIVE}:18 (GD501, No module named 'apt_model')",
)
NO_LOSS_BLOCKED = dataclasses.replace(
    NO_LOSS,
    location=place(FIVE, 198, 1, 26),
    symbol="GPT5Model",
    message="GPT5Model returns logits and offers no loss",
    excerpt="class GPT5Model(nn.Module):",
    evidence=_BLOCKED,
    model="GPT5Model",
    models=witnesses(_BLOCKED, GPT5Model=FIVE),
    fix=offer("Add compute_loss with the shifted cross-entropy", Applicability.UNSAFE),
)

_GREEDY = confirmed(
    "sampling",
    parameter="temperature",
    temperatures=(0.5, 1.0, 2.0),
    argmax_shares=(1.0, 1.0, 1.0),
    total_variations=(0.71, 0.83, 0.9),
    entropies_nats=(0.0, 0.0, 0.0),
    rows=(512, 512, 512),
)
ARGMAX = Finding(
    rule="GD401",
    name="argmax-ignores-temperature",
    severity=Severity.MEDIUM,
    location=place(FOUR_O, 185, 26, 70),
    symbol="GPT4oModel.generate",
    message="`argmax` picks the same token at every temperature",
    excerpt="next_token = torch.argmax(logits[:, -1, :] / temperature, dim=-1, keepdim=True)",
    evidence=_GREEDY,
    model="GPT4oModel",
    models=witnesses(_GREEDY, GPT4oModel=FOUR_O),
    fix=offer("Sample with torch.multinomial"),
)

_EMPTY = confirmed(
    "empty-inputs",
    inputs=("text_ids", "image_feat"),
    outcome="raised",
    returned=None,
    error="ZeroDivisionError: division by zero",
)
EMPTY = Finding(
    rule="GD701",
    name="empty-input-unguarded",
    severity=Severity.LOW,
    location=place(FOUR_O, 127, 9, 31),
    symbol="OmniInputEncoder.forward",
    message="with no input given, `len(parts)` is 0 and the division fails",
    excerpt="return sum(parts) / len(parts)  # [B, T, C]",
    evidence=_EMPTY,
    model="GPT4oModel",
    models=witnesses(_EMPTY, GPT4oModel=FOUR_O),
    fix=offer("Raise a ValueError that names the inputs"),
)

_HARMLESS = Evidence(
    status=Status.REFUTED,
    probe="gradient-flow",
    values={"operation": "no_grad", "parameters_gained": 0, "parameters_changed": 0},
)
REFUTED = dataclasses.replace(
    NO_GRAD,
    location=place(FOUR_O, 177, 5, 16),
    symbol="GPT4oModel.generate",
    evidence=_HARMLESS,
    model="GPT4oModel",
    models=witnesses(_HARMLESS, GPT4oModel=FOUR_O),
    fix=None,
)

FOUR_O_MODEL = ModelDiagnosis(
    name="GPT4oModel",
    path=FOUR_O,
    line=130,
    verdict=Verdict.UNTRAINABLE,
    reasons=(
        f"forward fails at B=3, T=7: RuntimeError in forward at {FOUR_O}:80: The size of tensor a "
        "(3) must match the size of tensor b (7) at non-singleton dimension 1",
    ),
    reason_rules=("GD301",),
    specimen=SpecimenFacts(
        build="GPT4oModel(vocab_size=97, d_model=48, n_heads=2, n_layers=2, rank=24, image_dim=20)",
        call="model(text_ids=torch.randint(97, (5, 5)))",
        parameters=48_211,
        entry="forward",
    ),
    facts={
        "generates": True,
        "multimodal": True,
        "own_loss": False,
        "ids_parameter": "text_ids",
        "returns": "logits",
        "vocabulary": 97,
        "batch": 5,
        "length": 5,
        "inputs": ("text_ids: ids [5, 5]", "image_feat: image [5, 2, 20]"),
        "output_characters": 0,
    },
    measured=("import-dependencies", "construction", "shapes", "sampling", "training-interface"),
    unmeasured=(
        UnmeasuredProbe(probe="gradient-flow", reason="the forward pass fails at B=3, T=7"),
        UnmeasuredProbe(probe="learning", reason="the forward pass fails at B=3, T=7"),
    ),
    notes=("image_proj gets no gradient: no image was given",),
)
O_THREE_MODEL = ModelDiagnosis(
    name="GPTo3Model",
    path=O_THREE,
    line=127,
    verdict=Verdict.UNTRAINABLE,
    reasons=(
        f"no_grad at {O_THREE}:178 keeps the gradient from 2 parameters (trigger_head.weight, "
        "trigger_head.bias)",
    ),
    reason_rules=("GD101",),
    specimen=SpecimenFacts(
        build="GPTo3Model(vocab_size=97, hidden_size=48, num_heads=2, num_layers=2, rank=20)",
        call="model(input_ids=torch.randint(97, (3, 7)))",
        parameters=61_004,
        entry="forward",
    ),
    facts={
        "generates": True,
        "multimodal": True,
        "own_loss": False,
        "ids_parameter": "input_ids",
        "returns": "logits",
        "vocabulary": 97,
        "inputs": ("input_ids: ids [3, 7]", "image_feats: image [3, 2, 20]"),
        "parameters_without_gradient": 2,
        "worst_parameters": ("trigger_head.weight", "trigger_head.bias"),
        "first_loss": 4.581,
        "best_loss": 0.021,
        "learning_steps": 60,
        "steps_to_tenth": 24,
        "learning_rate": 0.01,
        "milliseconds_per_step": 6.31,
        "loss_source": "shifted cross-entropy",
    },
    measured=("import-dependencies", "construction", "shapes", "gradient-flow", "learning"),
)
FIVE_MODEL = ModelDiagnosis(
    name="GPT5Model",
    path=FIVE,
    line=198,
    verdict=Verdict.UNTRAINABLE,
    reasons=(f"cannot be built: the import at {FIVE}:18 does not resolve",),
    reason_rules=("GD501",),
    measured=("import-dependencies",),
    unmeasured=tuple(
        UnmeasuredProbe(probe=probe, reason=f"blocked by the import at {FIVE}:18")
        for probe in ("gradient-flow", "learning", "shapes")
    ),
)
HEALTHY_MODEL = ModelDiagnosis(
    name="NanoModel",
    path="models/nano.py",
    line=12,
    verdict=Verdict.TRAINABLE,
    reasons=(),
    specimen=SpecimenFacts(
        build="NanoModel(vocab_size=97)",
        call="model(idx=torch.randint(97, (3, 7)))",
        parameters=20_480,
        entry="forward",
    ),
    facts={
        "generates": False,
        "multimodal": False,
        "own_loss": True,
        "loss_returned": True,
        "label_parameters": ("targets",),
        "loss_source": "own loss",
        "first_loss": 4.6,
        "best_loss": 0.01,
        "learning_steps": 40,
        "steps_to_tenth": 12,
        "milliseconds_per_step": 2.2,
        "parameters_without_gradient": 0,
    },
    measured=("gradient-flow", "learning"),
)
UNEXAMINED_MODEL = ModelDiagnosis(
    name="OddModel",
    path="models/odd.py",
    line=7,
    verdict=Verdict.UNEXAMINED,
    reasons=("the model was not built: no value is known for the parameter oracle",),
    facts={"first_loss": math.nan, "best_loss": math.inf},
    unmeasured=(UnmeasuredProbe(probe="gradient-flow", reason="the model was not built"),),
)

SEVEN = (
    OVERWRITTEN,
    NO_GRAD,
    TRANSPOSED,
    IMPORT,
    ARGMAX,
    NO_LOSS,
    NO_LOSS_BLOCKED,
    EMPTY,
)
REFERENCE = Examination(
    environment=ENVIRONMENT,
    models=(FOUR_O_MODEL, FIVE_MODEL, O_THREE_MODEL),
    findings=(*SEVEN, REFUTED),
    errors=(),
    skipped=(),
    files=4,
    seconds=4.217,
)
EVERYTHING = dataclasses.replace(
    REFERENCE,
    models=(*REFERENCE.models, HEALTHY_MODEL, UNEXAMINED_MODEL),
    errors=(
        SourceError(
            path="models/broken.py", line=3, kind="syntax-error", message="'(' was never closed"
        ),
        SourceError(path="models/odd.bin.py", line=1, kind="encoding-error", message="not UTF-8"),
    ),
    skipped=(
        SkippedFile(path="models/empty.py", reason="empty"),
        SkippedFile(path="models/helpers.py", reason="no model found"),
    ),
)
HEALTHY = dataclasses.replace(
    REFERENCE, models=(HEALTHY_MODEL,), findings=(), files=1, seconds=2.05
)
NOTHING = dataclasses.replace(HEALTHY, models=())
STATIC = dataclasses.replace(
    REFERENCE,
    environment=dataclasses.replace(ENVIRONMENT, live=False, torch=None),
    models=tuple(
        ModelDiagnosis(name=one.name, path=one.path, line=one.line, verdict=None, reasons=())
        for one in REFERENCE.models
    ),
    findings=tuple(
        dataclasses.replace(
            one,
            evidence=Evidence(status=Status.SUSPECTED, reason="nothing was run (--static)"),
            models=(),
            model=None,
        )
        for one in SEVEN
    ),
)
TROUBLE = dataclasses.replace(
    STATIC,
    environment=dataclasses.replace(
        ENVIRONMENT, torch=None, trouble="torch is not installed for /usr/bin/python3"
    ),
    models=tuple(
        dataclasses.replace(one, verdict=Verdict.UNEXAMINED, reasons=("nothing could be run",))
        for one in STATIC.models
    ),
)
EXAMINATIONS = {
    "reference": REFERENCE,
    "everything": EVERYTHING,
    "healthy": HEALTHY,
    "nothing": NOTHING,
    "static": STATIC,
    "trouble": TROUBLE,
}
FAILED = GateResult(
    exit_code=1, reasons=("4 findings at or above high", "GPTo3Model is untrainable")
)
PASSED = GateResult(exit_code=0, reasons=())

_BEFORE = """\
import torch


class A:
    @torch.no_grad()
    def entropy(self, p):
        return p
"""
_AFTER = _BEFORE.replace("    @torch.no_grad()\n", "")
PATCH = Patch(path=O_THREE, before=_BEFORE, after=_AFTER)
PROVEN = RepairOutcome(
    rule="GD101",
    name="no-grad-in-forward",
    path=O_THREE,
    line=178,
    title="Remove the decorator",
    applicability=Applicability.SAFE,
    outcome=Outcome.PROVEN,
    reason="gradient-flow: trigger_head.weight and trigger_head.bias get a gradient now",
    patch=PATCH,
)
UNPROVEN = dataclasses.replace(
    PROVEN,
    rule="GD601",
    name="no-training-loss",
    path=FIVE,
    line=198,
    title="Add compute_loss with the shifted cross-entropy",
    applicability=Applicability.UNSAFE,
    outcome=Outcome.UNPROVEN,
    reason="no probe could judge it: the model was not built",
    patch=Patch(path=FIVE, before="a = 1\n", after="a = 1\nb = 2\n"),
)
REJECTED = dataclasses.replace(
    PROVEN,
    rule="GD201",
    name="expert-output-overwritten",
    line=112,
    title="Weight the experts' outputs and add them up",
    outcome=Outcome.FAILED,
    reason="after the edit forward fails at B=3, T=7",
)
DECLINED = dataclasses.replace(
    PROVEN,
    rule="GD301",
    name="transposed-gate",
    path=FOUR_O,
    line=80,
    title="Iterate over the last dimension",
    outcome=Outcome.DECLINED,
    reason="the loop's target is not a plain name",
    patch=None,
)
OUTCOMES = (PROVEN, UNPROVEN, REJECTED, DECLINED)
