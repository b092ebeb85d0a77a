"""Family 7: inputs that are not what they should be."""
