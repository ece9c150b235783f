"""Name or module -> traced model."""
