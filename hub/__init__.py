"""The JoinedUp Hub: departments share data through it safely, and it turns that data into help for citizens."""

__version__ = "0.1.0"
