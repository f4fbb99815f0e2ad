"""Searches with data alone: weak supervision, and backgrounds extrapolated from a control region."""
