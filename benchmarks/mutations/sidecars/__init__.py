"""How each host is built and used; each module has `HOST`."""
