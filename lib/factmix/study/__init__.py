"""What a study is: its vocabulary, its YAML, its file paths, and what each result depends on.

Here: labels, examples, prompts, protocols, `spec` (the content of the YAML) and `load` (its files),
`paths` and `files`, `source_deps` and `freshness`.
Not here: anything that loads a dataset, a model or a result.
"""
