"""What every test is kept from: the results that the user's own runs have left."""

from __future__ import annotations

import os
import tempfile

# Set before any test, or fixture of any scope, runs; `tests.commands` gives each command a folder
# of its own.
os.environ["GPTDOCTOR_CACHE_DIR"] = tempfile.mkdtemp(prefix="gptdoctor-tests-")
