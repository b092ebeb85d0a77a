"""Family 5: what a model needs and does not find."""
