"""Proofs of inclusion and consistency agree with vectors that somebody else made, and with the RFC's definitions."""

import json
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hub.audit.merkle import TILE, CompactRange, leaf_hash, node_hash, perfect_root
from hub.audit.proofs import (
    ProofError,
    consistency_proof,
    inclusion_proof,
    verify_consistency,
    verify_inclusion,
    verify_subtree_consistency,
    verify_subtree_inclusion,
)

LEAVES = [leaf_hash(str(number).encode()) for number in range(70)]
Vector = dict[str, Any]


def _root(start: int, stop: int) -> bytes:
    """RFC 9162 section 2.1.1, word for word."""
    if stop - start == 1:
        return LEAVES[start]
    split = start + (1 << (stop - start - 1).bit_length() - 1)
    return node_hash(_root(start, split), _root(split, stop))


def _proof(vector: Vector) -> list[bytes]:
    return [b64decode(text) for text in vector["proof"] or ()]


def _inclusion(vector: Vector) -> None:
    verify_inclusion(
        b64decode(vector["leafHash"]), vector["leafIdx"], vector["treeSize"], _proof(vector), b64decode(vector["root"])
    )  # fmt: skip


def _subtree_inclusion(vector: Vector) -> None:
    verify_subtree_inclusion(
        b64decode(vector["leafHash"]), vector["leafIdx"], vector["start"], vector["end"], _proof(vector),
        b64decode(vector["root"]),
    )  # fmt: skip


def _consistency(vector: Vector) -> None:
    verify_consistency(
        vector["size1"], vector["size2"], _proof(vector), b64decode(vector["root1"]), b64decode(vector["root2"])
    )  # fmt: skip


def _subtree_consistency(vector: Vector) -> None:
    verify_subtree_consistency(
        vector["start"], vector["end"], vector["size"], _proof(vector), b64decode(vector["root1"]),
        b64decode(vector["root2"]),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "verify", "number"),
    [
        ("inclusion", _inclusion, 98),
        ("subtreeinclusion", _subtree_inclusion, 204),
        ("consistency", _consistency, 98),
        ("subtreeconsistency", _subtree_consistency, 118),
    ],
)
def test_every_published_vector_holds_or_fails_as_it_must(
    test_data: Path, kind: str, verify: Callable[[Vector], None], number: int
) -> None:
    files = sorted((test_data / "merkle" / "testdata" / kind).rglob("*.json"))
    assert len(files) == number
    wrong = []
    for file in files:
        vector = json.loads(file.read_text())
        try:
            verify(vector)
            failed = False
        except ProofError:
            failed = True
        if failed != vector["wantErr"]:
            wrong.append(str(file.relative_to(test_data)))
    assert wrong == []


def test_every_proof_of_inclusion_in_small_trees_holds_for_its_leaf_and_for_no_other() -> None:
    for size in range(1, 34):
        for index in range(size):
            proof = inclusion_proof(index, size, _root)
            verify_inclusion(LEAVES[index], index, size, proof, _root(0, size))
            if size > 1:
                with pytest.raises(ProofError):
                    verify_inclusion(LEAVES[index], (index + 1) % size, size, proof, _root(0, size))


def test_every_proof_of_consistency_of_small_trees_holds_and_one_of_another_tree_does_not() -> None:
    for second in range(1, 34):
        for first in range(1, second + 1):
            proof = consistency_proof(first, second, _root)
            verify_consistency(first, second, proof, _root(0, first), _root(0, second))
            with pytest.raises(ProofError):
                verify_consistency(first, second, proof, _root(1, first + 1), _root(0, second))


@pytest.mark.parametrize(("index", "size"), [(0, 0), (3, 3), (-1, 3), (4, 3)])
def test_there_is_no_proof_for_a_leaf_outside_the_tree(index: int, size: int) -> None:
    with pytest.raises(ProofError, match="no leaf"):
        inclusion_proof(index, size, _root)
    with pytest.raises(ProofError, match="no leaf"):
        verify_inclusion(LEAVES[0], index, size, [], LEAVES[0])


@pytest.mark.parametrize(("first", "second"), [(0, 0), (0, 5), (6, 5), (-1, 5)])
def test_there_is_no_proof_that_a_tree_begins_with_nothing_or_with_a_larger_one(
    first: int, second: int
) -> None:
    with pytest.raises(ProofError, match="does not begin"):
        consistency_proof(first, second, _root)


def test_a_proof_for_a_tree_of_absurd_size_is_refused_at_once() -> None:
    with pytest.raises(ProofError):
        verify_inclusion(LEAVES[0], 0, 1 << 200, [LEAVES[1]] * 200, LEAVES[2])


def test_a_tree_grown_by_tiles_is_the_tree_grown_by_leaves_and_tells_the_same_tiles() -> None:
    leaves = [leaf_hash(number.to_bytes(4)) for number in range(3 * TILE + 7)]
    slow, fast = CompactRange(), CompactRange()
    told = [subtree for leaf in leaves for subtree in slow.append(leaf)]
    quick = [
        subtree
        for start in range(0, 3 * TILE, TILE)
        for subtree in fast.append_tile(perfect_root(leaves[start : start + TILE]))
    ]
    for leaf in leaves[3 * TILE :]:
        assert fast.append(leaf) == []
    assert (fast.size, fast.roots, quick) == (slow.size, slow.roots, told)
    assert [(item.level, item.place) for item in told] == [(8, 0), (8, 1), (8, 2)]
    with pytest.raises(ValueError, match="not full"):
        fast.append_tile(leaves[0])
    with pytest.raises(ValueError, match="no perfect subtree"):
        perfect_root(leaves[:3])
