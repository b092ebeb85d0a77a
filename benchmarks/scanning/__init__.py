"""How right the scan is on code of others, and how fast."""
