"""A file of tests for the confirmed findings of one model, and which findings have none."""

from __future__ import annotations

import ast
import re
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from gptdoctor import __version__
from gptdoctor.catalog import defect_named
from gptdoctor.core.diagnosis import ModelDiagnosis, SpecimenFacts
from gptdoctor.core.findings import Evidence, Finding, Status
from gptdoctor.prove import harness
from gptdoctor.prove.carried import carried

WIDTH = 96
# By this a file is known for one of ours, which may be written anew.
MARK = "Written by gptdoctor"
# Modules of the standard library that the statements of tests may name.
STANDARD = ("contextlib", "importlib", "inspect", "math", "sys")


@dataclass(frozen=True, kw_only=True)
class HealthTest:
    """One test, and the finding that it is about."""

    name: str
    finding: Finding
    body: str
    # The kind of the user's own exception that is to end it, "" where an `assert` of ours does.
    raises: str = ""


def health_tests(model: ModelDiagnosis, findings: Sequence[Finding]) -> list[HealthTest]:
    """A test for each finding that the model confirms and that a test can show."""
    found: list[HealthTest] = []
    for finding in findings:
        evidence = _confirmed(model, finding)
        proof = defect_named(finding.rule).proof
        body = proof.test(evidence.values) if evidence is not None and proof is not None else ""
        body = _of_vectors(body) if _gives_vectors(model) else body
        if evidence is not None and body and _can_run(model, body):
            error = str(evidence.values.get("error") or "")
            name = _name(finding, {one.name for one in found})
            raises = error.partition(":")[0]
            found.append(HealthTest(name=name, finding=finding, body=body, raises=raises))
    return found


def _gives_vectors(model: ModelDiagnosis) -> bool:
    """Whether the model has no logits, and vectors that can be compared instead."""
    specimen = model.specimen
    return specimen is not None and not specimen.logits and bool(specimen.vectors)


def _of_vectors(body: str) -> str:
    """The statements about the vectors that a model gives; as they are where they count tokens."""
    return body if re.search(r"\bV\b", body) else re.sub(r"\blogits\b", "vectors", body)


def _can_run(model: ModelDiagnosis, body: str) -> bool:
    """Whether all is known that the test needs of the model."""
    wanted = harness.wanted_by(model.specimen, body)
    if model.specimen is None:
        return not wanted
    has_logits = bool(model.specimen.logits)
    has_loss = bool(model.specimen.loss and model.specimen.loss_labels)
    labelled = {"labels_of", "loss_and_logits"} & wanted
    writes = {"with_known_logits", "sharpened"} & wanted
    if writes and re.search(r"\b[BT]\b", model.specimen.logits):
        return False  # what is read off the output is no part of it, to be written to
    if writes and not has_logits:
        return False
    return (has_logits or "logits" not in wanted) and (has_loss or not labelled)


def confirmed(model: ModelDiagnosis, findings: Sequence[Finding]) -> list[Finding]:
    """The findings that the model's own measurements confirm."""
    return [finding for finding in findings if _confirmed(model, finding) is not None]


def _confirmed(model: ModelDiagnosis, finding: Finding) -> Evidence | None:
    for one in finding.models:
        here = (one.name, one.path) == (model.name, model.path)
        if here and one.evidence.status is Status.CONFIRMED:
            return one.evidence
    return None


def _name(finding: Finding, taken: set[str]) -> str:
    """The name of a test: what must not be, and where."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|\W+", "_", finding.symbol).strip("_").lower()
    where = f"in_{words}" if words else ""
    name = "_".join(filter(None, ("test_free_of", finding.name.replace("-", "_"), where)))
    number = 2
    while name in taken:
        name, number = f"{name.rstrip('0123456789_')}_{number}", number + 1
    return name


def file_of(model: ModelDiagnosis, tests: Sequence[HealthTest], home: PurePosixPath) -> str:
    """The text of the file; `home` leads from its folder to the one that imports count from."""
    luggage = carried(dict.fromkeys(name for one in tests for name in _measures(one)))
    written = [_function(one) for one in tests]
    bodies = "\n".join(written)
    used = model.specimen if needs_model(model, bodies) else None
    imports = "".join(_imports(used, [*luggage.imports, *_standard(bodies)], home)).rstrip()
    parts = [
        f"{_head(model)}\n\n{imports}",
        "\n".join(harness.constants(model, bodies)),
        *(harness.functions(model, used, bodies) if used is not None else ()),
        *luggage.definitions,
        *written,
    ]
    return "\n\n\n".join(filter(None, parts)) + "\n"


def needs_model(model: ModelDiagnosis, body: str) -> bool:
    """Whether the statements of a test use what the model's file has to be imported for."""
    lines = () if model.specimen is None else model.specimen.imports
    names = {line.split()[-1].partition(".")[0] for line in lines} - {"torch"}
    words = set(re.findall(r"\w+", body))
    return bool(harness.wanted_by(model.specimen, body) or names & words)


def _standard(bodies: str) -> list[str]:
    """Modules that the tests themselves name."""
    return [f"import {name}" for name in STANDARD if f"{name}." in bodies]


def _measures(test: HealthTest) -> list[str]:
    """The measuring functions that a test calls."""
    proof = defect_named(test.finding.rule).proof
    names = () if proof is None else proof.measures
    return [name for name in names if f"{name.partition(':')[2]}(" in test.body]


def _head(model: ModelDiagnosis) -> str:
    return (
        f'"""What {model.name} is to be healed of: each test fails until its defect is gone.\n\n'
        f"{MARK} {__version__} from what it measured; needs torch and pytest alone.\n"
        '"""'
    )


def _imports(
    specimen: SpecimenFacts | None, others: Sequence[str], home: PurePosixPath
) -> Iterator[str]:
    """The future, the standard library, torch, and what brings the model: groups of lines."""
    places = ["import sys", "from pathlib import Path"] if home.parts else []
    own_lines = specimen.imports if specimen is not None else ()
    lines = _together(dict.fromkeys([*places, *others, "import torch", *own_lines]))
    standard = [line for line in lines if _package(line) in sys.stdlib_module_names]
    torch = [line for line in lines if _package(line) == "torch"]
    own = [line for line in lines if line not in (*standard, *torch)]
    path = [f'sys.path.insert(0, str(Path(__file__).parent / "{home}"))'] if home.parts else []
    own = [f"{line}  # noqa: E402" if path else line for line in own]
    for group in (
        ["from __future__ import annotations"],
        _sorted(standard),
        _sorted(torch),
        path,
        own,
    ):
        yield "\n".join(group) + "\n\n" if group else ""


def _sorted(lines: Iterable[str]) -> list[str]:
    """Whole modules first, as linters have it."""
    return sorted(lines, key=lambda line: (line.startswith("from"), line))


def _package(line: str) -> str:
    return line.split()[1].partition(".")[0]


def _together(lines: Iterable[str]) -> list[str]:
    """Import statements, those from one module in one line."""
    names: dict[str, list[str]] = {}
    for line in lines:
        if line.startswith("from "):
            start, _, name = line.partition(" import ")
            names.setdefault(start, []).append(name)
        else:
            names.setdefault(line, [])
    return [
        f"{start} import {', '.join(sorted(set(found)))}" if found else start
        for start, found in names.items()
    ]


def _function(test: HealthTest) -> str:
    finding = test.finding
    told = f"{finding.rule} at {finding.location.words}: {finding.message}"
    told = told.replace("\\", "\\\\").replace('"""', "'''")
    words = textwrap.wrap(told, WIDTH - 4)
    document = f'"""{words[0]}' + "".join(f"\n    {word}" for word in words[1:])
    document += '"""' if len(words) == 1 and not told.endswith('"') else '\n    """'
    body = textwrap.indent(textwrap.dedent(test.body).strip("\n"), "    ")
    source = f"def {test.name}():\n    {document}\n{body}"
    ast.parse(source)  # what does not parse is our own fault, and is to be told here
    return source
