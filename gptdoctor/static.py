"""The static half by itself: all files scanned, or taken from the cache; no model is looked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gptdoctor.cache.scans import ScanCache
from gptdoctor.core.comments import IgnoreComment
from gptdoctor.core.diagnosis import SkippedFile, SourceError
from gptdoctor.core.findings import Finding
from gptdoctor.core.scans import FileScan
from gptdoctor.source.targets import Targets


@dataclass(frozen=True, kw_only=True)
class TextFound:
    """What the text of all targets shows."""

    findings: tuple[Finding, ...]  # by place
    errors: tuple[SourceError, ...]
    skipped: tuple[SkippedFile, ...]
    comments: tuple[IgnoreComment, ...]


def examine_text(
    targets: Targets,
    search_paths: tuple[Path, ...],
    cache: ScanCache | None,
    begin: Callable[[int], None],
) -> TextFound:
    """Scan the targets' files; `begin` hears how many there are that no cache knows."""
    known = {} if cache is None else cache.known(targets.files, targets.named)
    left = [file for file in targets.files if file not in known]
    begin(len(left))
    scans: dict[Path, FileScan] = dict(known)
    if left:
        # Loaded only now: where nothing has changed, no rule is needed.
        from gptdoctor.scan_files import scan_files

        results = scan_files(
            targets.root,
            search_paths,
            left,
            targets.named,
            told=None if cache is None else cache.told(),
        )
        scans |= results.files
        if cache is not None:
            cache.keep(results.files, targets.named, results.footprints, results.told)
    elif cache is not None:
        cache.keep_times()
    ordered = [scans[file] for file in targets.files]
    return TextFound(
        findings=tuple(
            sorted(
                (finding for scan in ordered for finding in scan.findings),
                key=lambda finding: (finding.location, finding.rule),
            )
        ),
        errors=tuple(error for scan in ordered for error in scan.errors),
        skipped=tuple(one for scan in ordered for one in scan.skipped),
        comments=tuple(one for scan in ordered for one in scan.comments),
    )
