"""What a study is: its vocabulary, its YAML, its file paths, and what each result depends on.

Here: labels, examples, prompts, protocols; the YAML in `settings` (what each key may hold), `spec`
(the whole) and `load` (its file); `run`, an arm with every setting resolved; `paths` and `files`;
`freshness` with `source_deps`.
Not here: anything that loads a dataset, a model or a result.
"""
