"""The client protocols that predictions are requested by, each an `Interface` of `predict`.

`native` is the project's own JSON; `native_body` decodes its bodies. `v2` is the Open Inference Protocol, `grpc` the
same over gRPC. `v1` is KServe's V1. `mlflow` is MLflow's scoring protocol; `mlflow_tables` and `csv_body` decode its
bodies. They share `content_type`, `accept`, `json_body` and `json_answers`.
"""
