"""Traced model -> weighed operator graph."""
