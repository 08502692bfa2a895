"""From public files and the invented world to the examples that a study trains on and evaluates.

Here: sources and their download, Wikipedia, one file per dataset in `datasets/`, mixtures and the
evaluation set, evidence by protocol, groups, leaks, and bag-of-words shortcuts.
Not here: prompts (`study`), tokens (`training`), tables of what was drawn (`report`).
"""
