"""From results to what readers see: figures, tables, sentences and pages.

Here: figures and their style, the tables they are drawn from, and summaries of data. Functions take
results and return figures, tables or text; none knows of Sphinx.
Not here: numbers (`results`); roles, directives and the theme of the book (book/_ext).
"""
