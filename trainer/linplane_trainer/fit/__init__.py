"""The fit: rows in, one linear model out. PURE: no file, network, clock or environment; numpy and the standard
library alone.

`model` types what goes in and out. `estimate.Fitting` takes the rows batch by batch; `scaling` shifts and scales
them, `factor` folds them into a triangular factor, `moments` keeps ranges and deviations, `holdout` says which rows
are kept apart, `solve` and `conclude` turn the factors into coefficients and what is said of them.
"""
