"""Family 4: tokens drawn otherwise than asked."""
