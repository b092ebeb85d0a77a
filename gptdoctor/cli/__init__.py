"""One command, one module; nothing heavy is imported until its body runs."""
