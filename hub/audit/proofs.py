"""Proofs over a Merkle tree: that an entry is in it, and that a later tree begins with an earlier one.

Making and checking follow the recursive definitions of RFC 9162 sections 2.1.3 and 2.1.4 word for word, so that both
can be read beside it. A proof is a list of hashes from the leaf's side to the root's. The forms for subtrees, of which
those for whole trees are the case of a subtree that begins at 0, are those of the draft on Merkle Tree Certificates
(draft-ietf-plants-merkle-tree-certs, "Subtrees").
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from hub.audit.merkle import EMPTY_ROOT, node_hash

__all__ = [
    "ProofError", "consistency_proof", "inclusion_proof", "verify_consistency", "verify_inclusion",
    "verify_subtree_consistency", "verify_subtree_inclusion",
]  # fmt: skip

#: The root over the leaves from the first number up to, without, the second.
RootOf = Callable[[int, int], bytes]
_MOST = 1 << 63


class ProofError(ValueError):
    """A proof does not show what it should, or there can be none."""


def inclusion_proof(index: int, size: int, root_of: RootOf) -> list[bytes]:
    """That the leaf at `index` is in the tree of the first `size` leaves: `PATH(m, D_n)` of RFC 9162.

    `root_of` is asked for O(log size) subtrees.

    Raises:
        ProofError: when there is no such leaf in that tree.
    """
    if not 0 <= index < size:
        raise ProofError(f"a tree of {size} leaves has no leaf {index}")
    proof: list[bytes] = []
    start, stop = 0, size
    while stop - start > 1:
        split = start + _split(stop - start)
        if index < split:
            proof.append(root_of(split, stop))
            stop = split
        else:
            proof.append(root_of(start, split))
            start = split
    return proof[::-1]


def consistency_proof(first: int, second: int, root_of: RootOf) -> list[bytes]:
    """That the tree of `second` leaves begins with that of `first`: `PROOF(m, D_n)` of RFC 9162.

    Raises:
        ProofError: when the first is empty or the larger: there is nothing to prove, or it does not hold.
    """
    if not 0 < first <= second:
        raise ProofError(f"a tree of {second} leaves does not begin with one of {first}")
    proof: list[bytes] = []
    start, stop, known = 0, second, True
    while first < stop:
        split = start + _split(stop - start)
        if first <= split:
            proof.append(root_of(split, stop))
            stop = split
        else:
            proof.append(root_of(start, split))
            start, known = split, False
    if not known:
        proof.append(root_of(start, stop))
    return proof[::-1]


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Go on only if `proof` shows that the leaf with this hash stands at `index` in the tree with this root.

    Raises:
        ProofError: saying what does not hold.
    """
    if not 0 <= index < size < _MOST:
        raise ProofError(f"a tree of {size} leaves has no leaf {index}")
    if len(leaf) != 32:
        raise ProofError("a leaf's hash has 32 bytes")
    left = iter(proof)
    found = _included(leaf, index, size, left)
    _all_used(left)
    if found != root:
        raise ProofError("the proof leads to another root")


def verify_consistency(
    first: int, second: int, proof: Sequence[bytes], first_root: bytes, second_root: bytes
) -> None:
    """Go on only if `proof` shows that the tree of `second` leaves begins with the tree of `first`, not empty.

    Raises:
        ProofError: saying what does not hold.
    """
    if not 0 < first <= second < _MOST:
        raise ProofError(f"a tree of {second} leaves does not begin with one of {first}")
    verify_subtree_consistency(0, first, second, proof, first_root, second_root)


def verify_subtree_inclusion(
    leaf: bytes, index: int, start: int, end: int, proof: Sequence[bytes], root: bytes
) -> None:
    """The same as `verify_inclusion` for the subtree over the leaves from `start` up to `end`.

    Raises:
        ProofError: also when there can be no such subtree.
    """
    _check_subtree(start, end, end)
    verify_inclusion(leaf, index - start, end - start, proof, root)


def verify_subtree_consistency(
    start: int, end: int, size: int, proof: Sequence[bytes], subtree_root: bytes, root: bytes
) -> None:
    """Go on only if the tree of `size` leaves holds this subtree. An empty subtree is in every tree.

    Raises:
        ProofError: saying what does not hold.
    """
    _check_subtree(start, end, size)
    left = iter(proof)
    if start == end:
        part, whole = EMPTY_ROOT, root
    else:
        part, whole = _contained(start, end, size, subtree_root, True, left)
    _all_used(left)
    if part != subtree_root:
        raise ProofError("the proof leads to another root of the earlier tree")
    if whole != root:
        raise ProofError("the proof leads to another root of the later tree")


def _split(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << (size - 1).bit_length() - 1


def _included(leaf: bytes, index: int, size: int, proof: Iterator[bytes]) -> bytes:
    if size == 1:
        return leaf
    split = _split(size)
    if index < split:
        below = _included(leaf, index, split, proof)
        return node_hash(below, _next(proof))
    below = _included(leaf, index - split, size - split, proof)
    return node_hash(_next(proof), below)


def _contained(
    start: int, end: int, size: int, claimed: bytes, known: bool, proof: Iterator[bytes]
) -> tuple[bytes, bytes]:
    """The roots of the subtree and of the tree of `size` leaves, as the proof makes them."""
    if start == 0 and end == size:
        node = claimed if known else _next(proof)
        return node, node
    split = _split(size)
    if end <= split:
        part, whole = _contained(start, end, split, claimed, known, proof)
        return part, node_hash(whole, _next(proof))
    if split <= start:
        part, whole = _contained(start - split, end - split, size - split, claimed, known, proof)
        return part, node_hash(_next(proof), whole)
    part, whole = _contained(0, end - split, size - split, claimed, False, proof)
    beside = _next(proof)
    return node_hash(beside, part), node_hash(beside, whole)


def _check_subtree(start: int, end: int, size: int) -> None:
    """A subtree begins at a multiple of the power of two that holds it."""
    width = 1 << (end - start - 1).bit_length() if end > start else 1
    if not 0 <= start <= end <= size < _MOST or start % width:
        raise ProofError(f"a tree of {size} leaves has no subtree from {start} to {end}")


def _next(proof: Iterator[bytes]) -> bytes:
    node = next(proof, None)
    if node is None or len(node) != 32:
        raise ProofError("the proof is too short, or holds what is no hash")
    return node


def _all_used(proof: Iterator[bytes]) -> None:
    if next(proof, None) is not None:
        raise ProofError("the proof is too long")
