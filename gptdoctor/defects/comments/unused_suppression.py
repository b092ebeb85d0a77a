"""GD001 unused-suppression: a comment asks for silence where there is nothing to be silent about.

The one rule without handlers: what a comment does is known only when all findings are, behind the
weighing (`diagnose/comments.py`).
"""

from __future__ import annotations

from gptdoctor.core.findings import Severity
from gptdoctor.defect import Defect

SICK = '''
import torch
from torch import nn


class Head(nn.Module):
    """Predicts the next token."""

    def __init__(self, width, vocab):
        super().__init__()
        self.project = nn.Linear(width, vocab)

    def forward(self, hidden):
        return self.project(hidden)  # gptdoctor: ignore[GD1O1] the teacher is fixed
'''
HEALED = '''
import torch
from torch import nn


class Head(nn.Module):
    """Predicts the next token."""

    def __init__(self, width, vocab):
        super().__init__()
        self.project = nn.Linear(width, vocab)

    def forward(self, hidden):
        return self.project(hidden)
'''

DEFECT = Defect(
    code="GD001",
    name="unused-suppression",
    severity=Severity.LOW,
    summary="A comment for gptdoctor silences nothing.",
    explanation=(
        "It names a rule that is not found where it stands, a rule that does not exist, or none "
        "at all, or it is misspelt. Not meant: comments on rules that this run did not ask, with "
        "--select, or that it could not settle: with --static all that a run may show."
    ),
    harm=(
        "The next defect of that kind on this line goes unseen, and a comment that was meant to "
        "work and does not leaves its author to wonder."
    ),
    confirmed_by=(
        "No run is needed: the comments are held against all findings, those that they set aside "
        "among them. What only a run shows counts as missing where the models that the file "
        "belongs to were run and measured."
    ),
    sick=SICK,
    healed=HEALED,
    of_comments=True,
)
