"""Tests of running a stranger's code."""
