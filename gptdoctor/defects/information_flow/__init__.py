"""Family 8: what a position or a sample may see, and what it has to."""
