"""Kernel families: the same operators by other means than eager torch."""
