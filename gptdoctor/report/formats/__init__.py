"""One output format of `check`, one module, which bears the name that it is asked for by."""
