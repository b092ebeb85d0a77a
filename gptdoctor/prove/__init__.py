"""Tests of the user's own that fail while a confirmed defect is there, and need no gptdoctor."""
