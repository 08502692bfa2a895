from collections import Counter

import numpy as np

from factmix.data.evaluation_set import draw_by_group
from factmix.study.examples import Example, to_frame
from factmix.study.labels import LABELS

_, PASS, FAIL = LABELS


def example(i, label, group=None):
    return Example(f"one-{i}", group or f"g{i}", "one", f"Claim {i}.", ("Something.",), label)


def drawn(pool, wanted, seed=0):
    return to_frame(pool).iloc[draw_by_group(to_frame(pool), wanted, np.random.default_rng(seed))]


def test_groups_give_a_fiftieth_of_each_label_so_that_few_are_reserved():
    # A fiftieth of 100 is 2 per label and group: 25 groups of 4 + 4 would do without that limit.
    pool = [
        example(f"{g}-{label}-{i}", label, group=f"g{g}")
        for g in range(80)
        for label in (PASS, FAIL)
        for i in range(4)
    ]
    sizes = drawn(pool, {PASS: 100, FAIL: 100}).groupby("group")["label"].value_counts()
    assert len(sizes) == 2 * 50
    assert set(sizes) == {2}


def test_one_large_group_does_not_fill_the_evaluation_set_while_there_are_others():
    pool = [example(i, PASS, group="large") for i in range(500)]
    pool += [example(500 + i, PASS) for i in range(99)]
    for seed in range(5):
        assert Counter(drawn(pool, {PASS: 100}, seed)["group"])["large"] in (1, 2)


def test_large_groups_give_more_when_there_are_no_others():
    pool = [example(i, PASS, group=f"g{i % 3}") for i in range(60)]
    assert len(drawn(pool, {PASS: 50})) == 50
    assert len(drawn(pool, {PASS: 60})) == 60


def test_no_group_is_split_as_long_as_that_can_be_avoided():
    # 98 groups of two and one of one: only with that one can 63 be drawn without splitting a pair.
    pool = [example(i, FAIL, group=f"pair {i // 2}") for i in range(196)]
    pool.append(example(196, FAIL))
    for seed in range(10):
        part = drawn(pool, {FAIL: 63}, seed)
        reserved = sum(each.group in set(part["group"]) for each in pool)
        assert reserved == len(part) == 63


def test_a_group_that_holds_much_of_a_dataset_is_left_to_training():
    pool = [example(i, FAIL, group="giant") for i in range(50)]
    pool += [example(50 + i, FAIL) for i in range(60)]
    for seed in range(5):
        assert set(drawn(pool, {FAIL: 60}, seed)["group"]).isdisjoint({"giant"})
