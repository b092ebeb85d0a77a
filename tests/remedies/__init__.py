"""The codemods: tables of what is rewritten and what is left alone, and torch to run the result."""
