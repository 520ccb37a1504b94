"""The Merkle tree agrees with vectors that somebody else made."""

import json
from pathlib import Path

import pytest

from hub.audit.merkle import EMPTY_ROOT, CompactRange, leaf_hash, node_hash


def _tree(leaves: list[bytes]) -> CompactRange:
    tree = CompactRange()
    for leaf in leaves:
        tree.append(leaf_hash(leaf))
    return tree


def _slow_root(hashes: list[bytes]) -> bytes:
    """RFC 9162 section 2.1.1, word for word."""
    if not hashes:
        return EMPTY_ROOT
    if len(hashes) == 1:
        return hashes[0]
    split = 1 << (len(hashes) - 1).bit_length() - 1
    return node_hash(_slow_root(hashes[:split]), _slow_root(hashes[split:]))


def test_roots_equal_the_recursive_definition_of_the_rfc() -> None:
    leaves = [str(number).encode() for number in range(70)]
    for size in range(71):
        assert _tree(leaves[:size]).root() == _slow_root([leaf_hash(leaf) for leaf in leaves[:size]])


def test_roots_equal_published_vectors(test_data: Path) -> None:
    vectors = json.loads((test_data / "merkle" / "leaves_and_roots.json").read_text())
    leaves = [bytes.fromhex(text) for text in vectors["leaf_inputs_hex"]]
    roots = [bytes.fromhex(text) for text in vectors["root_hashes_by_size_hex"]]
    assert (len(leaves), len(roots)) == (8, 9)
    assert [_tree(leaves[:size]).root() for size in range(9)] == roots


def test_a_range_goes_on_from_where_it_was_kept() -> None:
    leaves = [bytes([number]) for number in range(13)]
    kept = _tree(leaves[:6])
    going_on = CompactRange(kept.size, kept.roots)
    for leaf in leaves[6:]:
        going_on.append(leaf_hash(leaf))
    assert going_on.root() == _tree(leaves).root()


def test_a_range_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(ValueError, match="perfect subtrees"):
        CompactRange(3, [b"x" * 32])
