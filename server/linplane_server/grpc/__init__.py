"""The gRPC listener. `service` maps calls to the predictor and to `interfaces.grpc`, `health` answers health checks,
`messages` bounds what is read, `listener` owns the port. It is imported only if gRPC is on.
"""
