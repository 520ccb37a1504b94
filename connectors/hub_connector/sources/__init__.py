"""Where rows come from. Each kind of source is one module; others can be installed beside them.

A distribution adds a kind under the entry point group `joinedup.sources`: its value is a function
`(location: str, options: Mapping[str, object]) -> Source | None` that answers None when the location is not
its own.
"""

from __future__ import annotations

from .base import Batch, Incremental, Reading, Recognise, Source, Spoilt
from .registry import ENTRY_POINT_GROUP, open_source

__all__ = [
    "ENTRY_POINT_GROUP",
    "Batch",
    "Incremental",
    "Reading",
    "Recognise",
    "Source",
    "Spoilt",
    "open_source",
]
