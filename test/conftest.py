"""Holds for every test."""

from hypothesis import settings

# A deadline for one example measures the machine and what else runs on it, not the code.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")
