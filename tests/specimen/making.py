"""Specimens of models that a test writes as text."""

from __future__ import annotations

import importlib.util
import itertools
import os
import sys
from pathlib import Path

import torch

from gptdoctor.core.measurements.construction import Construction
from gptdoctor.core.specimens import ExamineRequest, ModelTarget
from gptdoctor.specimen.build import build_specimen
from gptdoctor.specimen.specimen import Specimen

torch.set_num_threads(1)  # 14 times faster on models of this size
IMPORTS = """\
import argparse, enum, math, torch, typing
import torch.nn.functional as F
from dataclasses import dataclass, field
from torch import nn

"""
_NUMBERS = itertools.count()
_LOADED: dict[str, str] = {}  # by name of a module, the test that it was loaded for


def build(
    folder: Path,
    text: str,
    entry: str = "forward",
    name: str = "Model",
    build: str | None = None,
    call: str | None = None,
) -> tuple[Construction, Specimen | None]:
    """What becomes of class `name` in a file of `folder` that holds `text`."""
    file = folder / f"examined_{next(_NUMBERS)}.py"
    file.write_text(IMPORTS + text)
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    _forget_what_others_loaded()
    sys.modules[file.stem] = module
    _LOADED[file.stem] = _test()
    spec.loader.exec_module(module)
    # of a function the text side tells the name as well, beside the classes that it makes
    family = (f"{file.name}::{name}",) if name[:1].islower() else ()
    target = ModelTarget(path=file.name, name=name, line=1, end_line=1, entry=entry, family=family)
    request = ExamineRequest(
        target=target, root=str(folder), seed=0, timeout_seconds=60.0, build=build, call=call
    )
    return build_specimen(module, request)


def _test() -> str:
    """The test that runs, without its phase."""
    return os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0]


def _forget_what_others_loaded() -> None:
    """Of thousands of models each would be looked at for each: may it be of the same project?"""
    now = _test()
    for name in [name for name, test in _LOADED.items() if test != now]:
        del _LOADED[name]
        sys.modules.pop(name, None)


def specimen(folder: Path, text: str, entry: str = "forward", call: str | None = None) -> Specimen:
    """The specimen of class `Model`, which can be built and called."""
    construction, made = build(folder, text, entry, call=call)
    assert construction.outcome == "built", construction
    assert made is not None
    return made


def line_of(made: Specimen, text: str) -> int:
    """The line of the model's file that holds `text`."""
    lines = (Path(made.root) / made.target.path).read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)
