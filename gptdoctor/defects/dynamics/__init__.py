"""Defects of training dynamics and numerics: what the numbers do while a model learns."""
