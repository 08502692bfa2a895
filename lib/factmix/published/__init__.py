"""The published study: its released files, its gains recomputed, an audit, and its claims tested.

Here: counts derived from the released files, the blog's 36 gains, findings about the released code,
and the ledger of claims (claims.yaml) with the test of each.
Not here: our own studies (`results`); the ledger tests the same claims on their results.
"""
