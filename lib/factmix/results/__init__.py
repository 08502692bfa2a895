"""From the answers of a study's arms to results.json, and from there to other runs.

Here: answers read and checked, every number of results.json and how it is written, comparisons of
two prediction files and of two runs, freezing, the model card, and the dictionary of columns.
Not here: figures, tables and sentences (`report`).
"""
