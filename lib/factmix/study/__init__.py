"""What a study is: its vocabulary, its YAML, where its files are, and what a result depends on.

Here: labels, examples, prompts, protocols, `spec` (the YAML's content) and `load` (its files),
`paths` and `files`, `source_deps`.
Not here: anything that reads a dataset, a model or a result.
"""
