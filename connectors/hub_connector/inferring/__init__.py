"""A first draft of a contract from a sample: what can be seen in the data, and what people must decide."""

from __future__ import annotations

from .draft import write_draft
from .guess import Guess, guess_columns, guess_key
from .sample import ColumnSample, Sample, take_sample

__all__ = ["ColumnSample", "Guess", "Sample", "guess_columns", "guess_key", "take_sample", "write_draft"]
