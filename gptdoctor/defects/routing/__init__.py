"""Family 2: what a mixture of experts loses."""
