"""The object storage that other tests stand on."""

from __future__ import annotations

from hub.storage.objects import ObjectStore


def test_an_objects_root_leads_to_empty_storage_that_keeps_what_it_is_given(objects_root: str) -> None:
    store = ObjectStore(objects_root)

    store.put_bytes("a/b.bin", b"content")

    assert ObjectStore(objects_root).get_bytes("a/b.bin") == b"content"
