"""What is worth knowing of a model and is no defect."""

from __future__ import annotations
