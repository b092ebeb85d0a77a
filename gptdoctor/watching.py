"""When sources change: the file watcher behind `check --watch`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from gptdoctor.core.errors import DoctorError

_SOURCES = frozenset([".py", ".ipynb"])
_SETTINGS = frozenset(["pyproject.toml", ".gitignore"])
# Folders that programs write to, and people do not.
_NOT_OURS = frozenset(["__pycache__", "node_modules", "site-packages"])
# So long nothing more may change before we look; editors write a file in several steps.
_QUIET_MS = 50
# How often the watcher comes back with nothing: at once when it has begun to watch.
_HEARTBEAT_MS = 100


def turns(root: Path) -> Iterator[None]:
    """Once at the beginning, and again whenever sources below `root` have changed.

    What changes while the caller works is not missed.  Ends at Ctrl-C.  Raises DoctorError where
    watching is not possible.
    """
    try:
        from watchfiles import watch
    except ImportError as error:
        raise DoctorError(
            "--watch needs the package watchfiles", hint="pip install 'gptdoctor[watch]'"
        ) from error
    told = watch(
        root,
        watch_filter=lambda change, path: is_watched(Path(path), root),
        step=_QUIET_MS,
        rust_timeout=_HEARTBEAT_MS,
        yield_on_timeout=True,
        ignore_permission_denied=True,
    )
    try:
        next(told)  # from here on it watches
        yield
        for changes in told:
            if changes:
                yield
    except KeyboardInterrupt:
        return  # what the watcher makes of any signal
    except OSError as error:  # too many folders for the system, say
        raise DoctorError(
            f"{root} cannot be watched: {error}",
            hint="name a smaller project, or set WATCHFILES_FORCE_POLLING=1",
        ) from error


def is_watched(file: Path, root: Path) -> bool:
    """Whether a change of this file may change what is found."""
    if file.suffix not in _SOURCES and file.name not in _SETTINGS:
        return False
    folders = file.relative_to(root).parts[:-1] if file.is_relative_to(root) else ()
    return not any(name.startswith(".") or name in _NOT_OURS for name in folders)
