"""What the user's code may raise where another way is tried after it."""

from __future__ import annotations

# Scripts may call `exit()`; what the user or the worker stops is not held up.
FAILURES = (Exception, SystemExit)
