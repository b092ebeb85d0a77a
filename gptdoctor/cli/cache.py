"""`gptdoctor cache`: where results are kept, and how to be rid of them."""

from __future__ import annotations

from typing import Annotated

import typer

ClearOption = Annotated[bool, typer.Option("--clear", help="Forget all results.")]


def cache(clear: ClearOption = False) -> None:
    """Say where results of earlier runs are kept, and how many; forget them with --clear."""
    from gptdoctor.cache.store import Store, cache_folder
    from gptdoctor.core.errors import DoctorError

    def fail(trouble: str) -> None:
        raise DoctorError(trouble)

    folder = cache_folder()
    store = Store(folder, fail)
    if clear:
        typer.echo(f"{store.clear()} results forgotten in {folder}")
    else:
        typer.echo(f"{store.count()} results in {folder}")
    store.close()
