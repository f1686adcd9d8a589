"""The server: config source -> registry -> router -> API, with a limiter, metrics and admin calls beside.

Data flow, file by file: `source` (interface) and `folder_source` hand over what `loading` decides to keep; `store`
compiles it into one immutable Snapshot; `body` reads a request, `router` picks its version, `predictor` answers;
`public_app` and `protocol` carry it over HTTP.
"""
