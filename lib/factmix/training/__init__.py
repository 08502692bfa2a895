"""From a base model and a training sample to an adapter, and from an adapter to answers.

Here: public models, the policy, the warm start, shared prefixes, the GRPO trainer and its rollouts,
rewards, evaluation, the learning rate, and the plan of a study's cost. Most modules need torch;
`rewards` does not.
Not here: metrics of the answers (`stats`), result files of a study (`results`).
"""
