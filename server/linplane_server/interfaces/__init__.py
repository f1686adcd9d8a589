"""The client protocols that predictions are requested by, each an `Interface` of `predict`.

`native` is the project's own JSON; `native_body` decodes its bodies. `v2` is the Open Inference Protocol.
"""
