"""What `python -m ramiel_core` does: its arguments, its commands, and the tables they print."""
