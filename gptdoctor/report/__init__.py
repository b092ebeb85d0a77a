"""One format, one module."""
