"""What questions to a whole project read of each of its files, without a parse.

Who imports a module, and which file defines a name, may be answered by any file of a project.
Both are told by the import statements, and by the names that lines begin by defining; what else
is written in a file changes no such answer.
"""

from __future__ import annotations

import hashlib

from gptdoctor.source.heads import import_statements, names_defined

_DIGEST_BYTES = 8


def signs_of(data: bytes) -> str:
    """What stands for them in the bytes of a file."""
    parts = [*import_statements(data), b"", *sorted(names_defined(data))]
    return hashlib.blake2b(b"\n".join(parts), digest_size=_DIGEST_BYTES).hexdigest()
