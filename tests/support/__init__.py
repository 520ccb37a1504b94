"""Helpers for tests; pytest's `pythonpath` puts this package where every test can import it."""
