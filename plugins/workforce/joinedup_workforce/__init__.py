"""The workforce plugin: police demand forecast, and load against capacity by team."""

__version__ = "0.1.0"
