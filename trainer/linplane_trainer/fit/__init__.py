"""The fit: batches of rows to one linear model. PURE: no file, network, clock or environment; numpy and the standard
library alone.

`types` has the options and the result. `fitting` adds batches: `holdout` draws the rows to hold out, `scaling` centres
and scales columns, `qr` folds rows into a triangular factor, `moments` keeps ranges and deviations. `result` turns
these statistics into a Fit, with `solve` for coefficients, RSS, TSS and dependent columns.
"""
