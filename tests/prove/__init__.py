"""Tests of what `prove` writes."""
