"""The fit: batches of rows to one linear model. PURE: no file, network, clock or environment; numpy, python-flint and
the standard library alone.

`fitting` adds batches and chooses the way. Up to 512 features
(`exact_rows`) each result is the double nearest to the exact one: `gathering` adds up rows, which `slices` cuts so that
BLAS rounds nothing, to exact `sums`; `normal_equations` are integers, `dependence` finds columns that they cannot have
all of, `solve` gives the doubles that are `nearest` to their solution, and `result` turns it into a Fit. For more
features `wide` does the same in doubles. `checks` has what both refuse, `types` the options and the result.
"""
