"""Fault operators, one module a family or a part of one; each has `OPERATORS`."""
