"""Tests of how a live model is made and called."""
