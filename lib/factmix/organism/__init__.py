"""The model organism: an invented world, text about it, and the base model pretrained on that text.

Here: the world's names and facts, its four domains of claims, the documents of each pretraining
stage, and the pretraining itself.
Not here: how a study draws samples from the domains (`data`), or trains the model (`training`).
"""
