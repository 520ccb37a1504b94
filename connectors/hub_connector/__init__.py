"""The connector: a department's side of the hub, which checks, seals and pushes its datasets."""

__version__ = "0.1.0"
