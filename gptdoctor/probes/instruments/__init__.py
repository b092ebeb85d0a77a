"""How running tensor code is watched: tools that several probes share, or one that is long."""
