"""Family 1: what keeps gradients from parameters."""
