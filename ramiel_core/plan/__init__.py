"""Operator graph -> plan: which worker runs what, in which order."""
