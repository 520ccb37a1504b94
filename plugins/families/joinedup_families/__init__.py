"""The families plugin: households that meet the criteria of a programme for families with many needs."""

__version__ = "0.1.0"
