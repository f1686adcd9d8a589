"""The fit of more features than exact sums are kept for: in doubles, by a triangular factor of the rows.

`rows` adds rows up: `scaling` centres and scales columns, `qr` folds rows into a triangular factor, `moments` keeps
ranges and deviations. `result` turns these statistics into a Fit, with `solve` for coefficients, RSS, TSS and dependent
columns. Its last digits depend on the machine's BLAS.
"""
