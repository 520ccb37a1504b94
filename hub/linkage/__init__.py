"""Linkage: who is who across the datasets, and who lives with whom."""
