"""Sequences of similar length, which are padded and computed together."""

from collections.abc import Sequence

# Tokens whose forward pass takes as long as the overhead of one more pass: 6 ms for the embedded
# model on two CPU cores. For other models this is a guess; it affects speed only.
TOKENS_PER_PASS = 256


def length_buckets(lengths: Sequence[int]) -> list[list[int]]:
    """Indices of sequences to pad together, so that padding and passes together cost least.

    Each bucket costs its padded tokens and one pass, counted as `TOKENS_PER_PASS` tokens. Buckets
    are consecutive in the order of length, longest first.
    """
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    costs = [0]  # of the cheapest split of the first n
    starts = [0]  # where its last bucket begins
    for end in range(1, len(order) + 1):
        cost, start = min(
            (costs[start] + TOKENS_PER_PASS + (end - start) * lengths[order[start]], start)
            for start in range(end)
        )
        costs.append(cost)
        starts.append(start)
    buckets: list[list[int]] = []
    end = len(order)
    while end:
        buckets.insert(0, order[starts[end] : end])
        end = starts[end]
    return buckets
