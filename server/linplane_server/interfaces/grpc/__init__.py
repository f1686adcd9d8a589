"""The Open Inference Protocol v2 over gRPC.

`inference.proto` has the messages, of which `make generate` makes `inference_pb2`. `infer` answers ModelInfer with what
`v2` does for HTTP; `metadata` answers all other calls with the answers of `v2`'s pages; `statuses` makes gRPC statuses
of HTTP's. Nothing outside of `linplane_server.grpc` imports this package, as protobuf is an optional dependency.
"""
