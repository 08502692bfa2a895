"""The published study: its released files, the gains recomputed, its audit, its claims judged.

Here: what is kept of the released files, the blog's 36 gains, findings about the released code,
and the ledger of claims (claims.yaml) with the test of each.
Not here: our own studies (`results`); the ledger reads those to judge the same claims on them.
"""
