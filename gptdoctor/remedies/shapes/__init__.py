"""Family 3: dimensions that are mixed up."""
