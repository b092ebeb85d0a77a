"""Defects planted into the files of others: does the scan find them?

    python -m benchmarks.scanning.planted SCRATCH
    python -m benchmarks.scanning.planted SCRATCH -o benchmarks/scanning/planted.md

Each plant of `plants.py` is put into at most `PLACES` files of the corpus, no file twice, chosen
by a hash of the plant and the file's path.  A defect is found where a rule that the plant names
tells something new in the changed function or class.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import shutil
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.scanning.corpus import Found, scanned, unpacked
from benchmarks.scanning.plants import PLANTS, Plant
from gptdoctor.source.targets import find_targets

PLACES = 10  # of each plant: a rule that finds 9 of them is not lucky


@dataclass(frozen=True, kw_only=True)
class Planted:
    """One plant in one file."""

    plant: Plant
    path: str  # relative to the corpus
    line: int
    first: int  # of the innermost definition that holds the line
    last: int


def plant_all(files: Path, scratch: Path) -> tuple[Path, list[Planted]]:
    """A copy of the corpus with all plants in it, and what was planted."""
    copy = scratch / "planted"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(files, copy)
    # Templates that a converter reads and nobody runs hold no defects of models; tests are no
    # files that a scan of a folder reads.
    read = {file for folder in copy.iterdir() for file in find_targets((".",), folder).files}
    real = [path for path in sorted(read) if not path.name.startswith("modular_")]
    texts = {path: path.read_text(errors="replace") for path in real}
    takers = {plant: [path for path in texts if plant.planted(texts[path])] for plant in PLANTS}
    taken: set[Path] = set()
    done = []
    # Those that fit few files come first, or others would have taken these.
    for plant in sorted(PLANTS, key=lambda plant: len(takers[plant])):
        free = [path for path in _shuffled(takers[plant], plant, copy) if path not in taken]
        # Of few places others want some, too.
        most = min(PLACES, (len(free) + 1) // 2)
        for path, planted in _places(plant, free, most, texts, copy):
            taken.add(path)
            done.append(planted)
    return copy, done


def _shuffled(paths: Sequence[Path], plant: Plant, root: Path) -> list[Path]:
    def order(path: Path) -> str:
        name = f"{plant.find}\0{plant.put}\0{path.relative_to(root)}"
        return hashlib.sha256(name.encode()).hexdigest()

    return sorted(paths, key=order)


def _places(
    plant: Plant, free: Sequence[Path], most: int, texts: Mapping[Path, str], root: Path
) -> Iterator[tuple[Path, Planted]]:
    """The first files that take the plant and still parse, written."""
    left = most
    for path in free:
        found = plant.planted(texts[path]) if left else None
        tree = None if found is None else _tree(found[0])
        if found is None or tree is None or _same_code(texts[path], tree):
            continue
        left -= 1
        text, line = found
        path.write_text(text)
        first, last = _around(tree, line)
        place = path.relative_to(root).as_posix()
        yield path, Planted(plant=plant, path=place, line=line, first=first, last=last)


def _tree(text: str) -> ast.Module | None:
    try:
        return ast.parse(text)
    except SyntaxError:
        return None


def _same_code(text: str, changed: ast.Module) -> bool:
    """Whether only a text or a comment was changed."""
    return _dump(ast.parse(text)) == _dump(changed)


def _dump(tree: ast.Module) -> str:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            node.value = ""
    return ast.dump(tree)


def _around(tree: ast.Module, line: int) -> tuple[int, int]:
    """The lines of the outermost definition around a line; at module level, the line alone."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.end_lineno:
            first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
            if first <= line <= node.end_lineno:
                return first, node.end_lineno
    return line, line


def is_found(planted: Planted, new: Sequence[Found]) -> bool:
    """Whether a rule that the plant names tells something new around it."""
    return any(
        one.path == planted.path
        and one.name in planted.plant.rules
        and planted.first <= one.line <= planted.last
        for one in new
    )


def table(done: Sequence[Planted], new: Sequence[Found]) -> Iterator[str]:
    """By rule: planted, found, and where it was missed."""
    by_rules: dict[str, list[Planted]] = defaultdict(list)
    for one in done:
        by_rules[" or ".join(one.plant.rules)].append(one)
    hits = sum(is_found(one, new) for one in done)
    share = hits / max(len(done), 1)
    yield f"{len(done)} defects of {len(by_rules)} rules planted, {hits} found ({share:.1%})."
    yield ""
    yield "| rule | planted | found | missed |"
    yield "|---|---|---|---|"
    for rules, places in sorted(by_rules.items()):
        missed = [f"{one.path}:{one.line}" for one in places if not is_found(one, new)]
        found = len(places) - len(missed)
        yield f"| {rules} | {len(places)} | {found} | {', '.join(missed)} |"


def main() -> int:
    """Plant, scan both, and tell; exit code 1 where fewer than nine in ten are found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scratch", type=Path)
    parser.add_argument("-o", "--output", type=Path)
    given = parser.parse_args()
    files = unpacked(given.scratch)
    copy, done = plant_all(files, given.scratch)
    known = {(one.name, one.path, one.symbol, one.message) for one in scanned(files)}
    new = [
        one for one in scanned(copy) if (one.name, one.path, one.symbol, one.message) not in known
    ]
    text = "\n".join(table(done, new))
    print(text, file=given.output.open("w") if given.output else sys.stdout)
    return int(sum(is_found(one, new) for one in done) < 0.9 * len(done))


if __name__ == "__main__":
    sys.exit(main())
