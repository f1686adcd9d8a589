"""Training rows as batches of columns, in the order in which data passes the modules.

`places` finds the data of a task: `source` says what can be opened, `files` are those of a disk, `uri_rules` allows a
URI, `download` fetches it, `uri_parts` parts of it, `s3` has the objects of a bucket, `ranges` is what pyarrow reads
Parquet from far away by. `tables` opens what it holds; the files of a folder are one table.
`contents` unpacks a CSV, and `csv_table` reads it in blocks: `file_kind` names a file that is not CSV, `csv_header`
chooses the columns, `csv_cells` makes rows of the numbers that `csv_numbers` reads, `holdout_keys` draws rows by
their key, `left_out` lists the columns that are no features, `csv_location` finds the line of an error. `parquet_table`
reads Parquet in row groups, of which `parquet_columns` makes rows. `postgres_table` reads a query, which `postgres`
runs with what `postgres_options` gives to libpq; `postgres_columns` makes columns of it that are like those of Parquet,
and `typed_columns` chooses among the columns of both. `credentials` are the keys of a Secret. `synthetic` makes rows
from a seed.
"""
