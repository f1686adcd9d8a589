"""Training rows, from wherever they are, as batches of columns.

`source` opens a file or a URL (`uri_rules` decides which, `download` fetches it, `file_kind` names what is not CSV),
`csv_table` reads it in blocks: `csv_header` decides the columns, `csv_cells` converts, `csv_location` finds the line of
an error. `synthetic` makes rows up.
"""
