"""Plan, patch, verify, apply."""
