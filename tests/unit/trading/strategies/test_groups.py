"""Co-location groups: instruments of one joint strategy share one, overlapping ones too."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from trading.strategies.groups import co_location_groups
from trading.strategies.pairs import Pairs
from trading.strategies.registry import BUILT_IN


def test_a_pair_is_a_group_and_a_chain_of_pairs_is_one() -> None:
    pairs = [("NSE:B", "NSE:C"), ("NSE:X", "NSE:Y"), ("NSE:C", "NSE:A")]
    assert co_location_groups(pairs) == {
        "NSE:A": "NSE:A",
        "NSE:B": "NSE:A",
        "NSE:C": "NSE:A",
        "NSE:X": "NSE:X",
        "NSE:Y": "NSE:X",
    }


@given(st.lists(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=3), max_size=6))
def test_the_order_does_not_matter_and_what_belongs_together_is_together(together: list[list[str]]) -> None:
    found = co_location_groups(together)
    assert found == co_location_groups(reversed(together))
    assert set(found) == {key for keys in together for key in keys}
    for keys in together:
        assert len({found[key] for key in keys}) == 1
    for group in set(found.values()):
        members = {key for key in found if found[key] == group}
        reached, grown = {group}, True
        while grown:
            wider = reached.union(*(set(keys) for keys in together if reached & set(keys)))
            grown, reached = wider != reached, wider
        assert members == reached


def test_only_pairs_need_it() -> None:
    assert [kind for kind in BUILT_IN if kind.joint] == [Pairs]
