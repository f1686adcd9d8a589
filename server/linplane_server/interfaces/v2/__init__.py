"""The Open Inference Protocol v2 over HTTP, as KServe, Triton and MLServer speak it.

In the order in which a request passes them: `encoding` decompresses the body, `binary` separates JSON and raw tensors,
`messages` has the types of the JSON, `tensors` makes numbers of the data, `infer` makes rows of the tensors and the
response. `metadata` answers the calls that compute nothing. A model of the protocol is a route.

Sources: kserve/open-inference-protocol, specification/protocol/inference_rest.md and open_inference_rest.yaml; binary
data: triton-inference-server/server, docs/protocol/extension_binary_data.md.
"""
