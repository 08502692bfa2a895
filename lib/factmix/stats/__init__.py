"""From gold labels and answers to metrics, intervals and p values.

Here: contingency tables and metrics, the bootstrap, exact paired tests, several training seeds,
calibration and risk. Functions take arrays and know no study and no file.
Not here: which comparisons a study makes (`results`).
"""
