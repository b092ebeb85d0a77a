"""Weighing: what the text shows, joined with what the run shows, and a verdict for each model."""
