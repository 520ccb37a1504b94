"""A person's copy as one zip file, made in memory: JSON for programs, and tables as CSV for spreadsheets."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

__all__ = ["as_json", "as_zip"]


def as_json(value: Any) -> bytes:
    """A value as JSON that people can read as well: dates as ISO 8601."""
    return json.dumps(value, ensure_ascii=False, indent=2, default=_plain).encode()


def as_zip(files: Mapping[str, bytes], made_at: datetime) -> bytes:
    """Files by name as a zip; nothing touches a disk."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            info = zipfile.ZipInfo(name, made_at.timetuple()[:6])
            info.external_attr, info.compress_type = 0o600 << 16, zipfile.ZIP_DEFLATED
            archive.writestr(info, data)
    return stream.getvalue()


def _plain(value: Any) -> Any:
    if isinstance(value, date | datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no form in a copy")
