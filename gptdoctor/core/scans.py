"""What a scan says of one file: plain values, which processes hand on and the cache keeps."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from gptdoctor.core.comments import IgnoreComment
from gptdoctor.core.diagnosis import SkippedFile, SourceError
from gptdoctor.core.findings import Finding


@dataclass(frozen=True, kw_only=True)
class FileScan:
    """What the text of one file shows."""

    digest: str  # of the bytes that were read
    findings: tuple[Finding, ...] = ()
    errors: tuple[SourceError, ...] = ()
    skipped: tuple[SkippedFile, ...] = ()
    comments: tuple[IgnoreComment, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether a fault of our own kept the file from being judged."""
        return any(error.kind == "internal-error" for error in self.errors)


def digest_of(data: bytes) -> str:
    """What stands for the contents of a file."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()
