"""From results to what readers see: figures, tables, sentences and pages.

Here: figures and their style, and every table, sentence and page that the book makes of results;
`pages` has them by path. Functions take results and return figures, Markdown or SVG; none knows of
Sphinx. The words of sentences, tables and alt texts are templates in book/templates/.
Not here: numbers (`results`); roles, directives and the theme of the book (book/_ext).
"""
