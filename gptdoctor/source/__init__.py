"""Python text as data: the standard library's ast, with names, classes and imports resolved."""
