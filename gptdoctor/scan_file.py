"""What the text of one file shows, from its bytes to findings; nothing is run and no model built.

This is all that a process of a scan does with a file, and all that is kept of it.  Only plain
values leave: the trees are dropped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from gptdoctor.core.diagnosis import SkippedFile, SourceError
from gptdoctor.core.scans import FileScan, digest_of
from gptdoctor.diagnose.cells import told_of
from gptdoctor.diagnose.join import join
from gptdoctor.scan import TORCH_BYTES, Failure, ModelNames, Scanned, scan_module
from gptdoctor.source.module import SourceModule
from gptdoctor.source.notebooks import SUFFIX as NOTEBOOK
from gptdoctor.source.project import Project
from gptdoctor.source.project_files import importers
from gptdoctor.source.suppressions import MARK, ignore_comments
from gptdoctor.specimen.discover import discover

MARK_BYTES = MARK.encode()


def scan_file(project: Project, file: Path, *, named: bool) -> FileScan:
    """Scan one file; `named` is one that the user asked for himself.  Raises nothing."""
    data = _data(file)
    digest = digest_of(data or b"")
    if data and not named and _says_nothing(data):
        return FileScan(digest=digest)
    try:
        module = project.read(file, data)
        if isinstance(module, SourceError):
            return FileScan(digest=digest, errors=(module,))
        return _scan(project, module, digest, named=named)
    except Exception as error:
        return replace(failed(project.path_of(file), error), digest=digest)


def _says_nothing(data: bytes) -> bool:
    """Whether no word of torch is in what is in a file: then it is not parsed.

    No rule could fire in it, and no comment of ours silence one.
    """
    return not (TORCH_BYTES.search(data) or MARK_BYTES in data or data.isspace())


def _data(file: Path) -> bytes | None:
    """What is in a file; None where it cannot be read."""
    try:
        return file.read_bytes()
    except OSError:
        return None


def failed(path: str, error: BaseException | str, line: int = 1, rule: str = "") -> FileScan:
    """A file that a fault of our own kept from being judged: told, and never hidden."""
    what = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
    where = f" in {rule}" if rule else ""
    message = f"gptdoctor itself failed here{where} ({what}): please report this file or an excerpt"
    told = SourceError(path=path, line=line, kind="internal-error", message=message)
    return FileScan(digest="", errors=(told,))


def _scan(project: Project, module: SourceModule, digest: str, *, named: bool) -> FileScan:
    scanned = scan_text(project, module)
    findings = join(project, scanned.suspicions, [], live=False) if scanned.suspicions else []
    return FileScan(
        digest=digest,
        findings=tuple(told_of(findings, module)),
        errors=(*module.errors, *told_failures(module, scanned.failures)),
        skipped=tuple(_skipped(module, named=named)),
        comments=ignore_comments(module),
    )


def scan_text(project: Project, module: SourceModule) -> Scanned:
    """What the text of a module shows, with its main models told."""
    models = ModelNames(by_path={}, found_by=lambda one: main_models(project, one))
    return scan_module(project, module, models.of(module))


def told_failures(module: SourceModule, failures: tuple[Failure, ...]) -> Iterator[SourceError]:
    """The rules that failed in a module, as errors of its file."""
    for one in failures:
        yield from failed(module.path, one.error, one.line, one.rule).errors


def _skipped(module: SourceModule, *, named: bool) -> Iterator[SkippedFile]:
    if not module.text.strip() and (named or module.file.name != "__init__.py"):
        yield SkippedFile(path=module.path, reason=why_empty(module))


def why_empty(module: SourceModule) -> str:
    """Why there is nothing to examine in a file without code."""
    language = "python" if module.notebook is None else module.notebook.language
    return "empty" if language == "python" else f"a notebook in {language}"


def main_models(project: Project, module: SourceModule) -> tuple[str, ...]:
    """The main models of a file, also in the eyes of the files that import it."""
    found = discover(project, [module])
    if not found or module.file.suffix == NOTEBOOK:
        return tuple(model.name for model in found)
    around = [module, *importers(project, module)]
    whole = discover(project, around) if len(around) > 1 else found
    return tuple(model.name for model in whole if model.path == module.path)
