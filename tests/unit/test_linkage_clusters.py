"""The guards on clusters, and ids that carry over, apart from any data."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hub.linkage.carryover import carry_over, new_ids
from hub.linkage.clusters import Clusters
from hub.linkage.guards import LARGEST, join_scored


def partition(clusters: Clusters, size: int) -> list[list[int]]:
    return sorted(sorted(clusters.members(root)) for root in {clusters.find(node) for node in range(size)})


def test_two_numbers_of_one_kind_never_meet_even_through_a_third() -> None:
    clusters = Clusters(3, {0: {"nhs_number": "1"}, 2: {"nhs_number": "2"}})
    assert clusters.join(0, 1) == "joined"
    assert clusters.join(1, 2) == "identifiers"
    assert partition(clusters, 3) == [[0, 1], [2]]


def test_numbers_of_different_kinds_gather_in_one_cluster() -> None:
    clusters = Clusters(2, {0: {"nhs_number": "1"}, 1: {"nino": "2"}})
    assert clusters.join(0, 1) == "joined"
    assert clusters.join(0, 1) == "already"
    ((_, held),) = clusters.identifiers()
    assert held == {"nhs_number": {"1"}, "nino": {"2"}}


def test_only_numbers_without_a_check_digit_may_be_a_transposition_apart() -> None:
    assert Clusters(2, {0: {"nino": "MW123456"}, 1: {"nino": "MW124356"}}).join(0, 1) == "joined"
    assert Clusters(2, {0: {"nino": "MW123456"}, 1: {"nino": "MW123457"}}).join(0, 1) == "identifiers"
    assert Clusters(2, {0: {"nhs_number": "12"}, 1: {"nhs_number": "21"}}).join(0, 1) == "identifiers"


def test_pairs_kept_apart_stay_apart_through_any_chain() -> None:
    clusters = Clusters(4, {})
    clusters.keep_apart([(0, 3)])
    assert [clusters.join(0, 1), clusters.join(2, 3), clusters.join(1, 2)] == [
        "joined",
        "joined",
        "contradiction",
    ]


def test_a_doubt_stops_a_join_unless_likenesses_outweigh_it() -> None:
    def last_join(likenesses: list[tuple[int, int]]) -> str:
        clusters = Clusters(4, {})
        clusters.weigh([(0, 3)], likenesses)
        clusters.join(0, 1)
        clusters.join(1, 2)
        return clusters.join(2, 3)

    assert last_join([(2, 3)]) == "contradiction"
    assert last_join([(1, 3), (2, 3)]) == "joined"


def test_the_strongest_join_is_made_first() -> None:
    clusters = Clusters(3, {0: {"upn": "1"}, 2: {"upn": "2"}})
    joined = join_scored(clusters, 3, [(0, 1, 9.0), (1, 2, 12.0)], lambda components: ([], []))
    assert partition(clusters, 3) == [[0], [1, 2]]
    assert joined.refused == 1


def test_a_node_that_fits_two_contradictory_ones_equally_well_joins_neither() -> None:
    clusters = Clusters(3, {})
    joined = join_scored(clusters, 3, [(0, 1, 9.0), (1, 2, 10.0)], lambda components: ([(0, 2)], []))
    assert partition(clusters, 3) == [[0], [1], [2]]
    assert joined.ambiguous == 2
    clusters = Clusters(3, {})
    join_scored(clusters, 3, [(0, 1, 9.0), (1, 2, 19.0)], lambda components: ([(0, 2)], []))
    assert partition(clusters, 3) == [[0], [1, 2]]


def test_a_crowd_chained_by_weak_joins_falls_apart() -> None:
    size = LARGEST + 2
    chain = [(node, node + 1, 20.0 if node % 2 == 0 else 5.0) for node in range(size - 1)]
    clusters = Clusters(size, {})
    joined = join_scored(clusters, size, chain, lambda components: ([], []))
    assert max(map(len, partition(clusters, size))) == 2
    assert joined.refused == sum(weight == 5.0 for _, _, weight in chain)


def test_a_merger_keeps_the_id_of_its_largest_part_and_a_split_mints_one() -> None:
    merged = carry_over([["a", "b", "c"]], {"a": "small", "b": "large", "c": "large"})
    assert (merged.ids, merged.kept, merged.new) == (["large"], 1, 0)
    split = carry_over([["a", "b"], ["c"]], {"a": "old", "b": "old", "c": "old"})
    assert split.ids[0] == "old"
    assert split.ids[1] not in ("old", "")
    assert (split.kept, split.new) == (1, 1)


def test_new_ids_are_long_and_different() -> None:
    ids = new_ids(1000)
    assert len(set(ids)) == 1000
    assert {len(identity) for identity in ids} == {32}
    assert new_ids(0) == []


_keys = st.sampled_from("abcdefghij")


@given(
    st.dictionaries(_keys, st.integers(0, 4)), st.dictionaries(_keys, st.sampled_from(["P", "Q", "R", "S"]))
)
def test_no_id_is_given_twice_and_the_outcome_does_not_depend_on_order(
    groups_of: dict[str, int], previous: dict[str, str]
) -> None:
    groups = [
        sorted(key for key, at in groups_of.items() if at == group) for group in sorted({*groups_of.values()})
    ]
    carried = carry_over(groups, previous)
    assert len(set(carried.ids)) == len(groups)
    assert carried.kept + carried.new == len(groups)
    again = carry_over(groups[::-1], dict(reversed(previous.items()))).ids[::-1]
    old = set(previous.values())
    assert [i if i in old else "new" for i in carried.ids] == [i if i in old else "new" for i in again]
    for keys, identity in zip(groups, carried.ids, strict=True):
        assert identity not in old or identity in {previous.get(key) for key in keys}
