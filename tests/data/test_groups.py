"""Groups of names, within a dataset and across datasets."""

import pandas as pd

from factmix.data.groups import Groups, linked


def test_links_hold_through_others_and_the_smallest_name_stands_for_all() -> None:
    groups = Groups()
    groups.link("c", "b")
    groups.link("d", "c")
    groups.link("x", "y")
    assert [groups.of(name) for name in "abcdxy"] == ["a", "b", "b", "b", "x", "x"]


def test_pages_that_two_datasets_link_differently_are_one_group() -> None:
    frames = [pd.DataFrame({"group": names}) for names in (["Alpha", "Zeta"], ["Beta"], ["Gamma"])]
    pools = linked(
        {
            "one": (frames[0], {"Alpha": "Alpha", "Beta": "Alpha", "Zeta": "Zeta"}),
            "two": (frames[1], {"Beta": "Beta", "Gamma": "Beta"}),
            "three": (frames[2], {}),
        }
    )
    assert {name: pool["group"].tolist() for name, pool in pools.items()} == {
        "one": ["Alpha", "Zeta"],
        "two": ["Alpha"],
        "three": ["Alpha"],
    }


def test_without_links_nothing_changes() -> None:
    pool = pd.DataFrame({"group": ["b", "a"], "id": ["1", "2"]})
    assert linked({"one": (pool, {})})["one"].equals(pool)
