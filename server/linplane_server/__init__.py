"""The server: answers predictions by the routing documents that the operator writes.

The modules that a start passes first: `main` reads `options` into `settings`, makes an `environment` (local or
cluster), and starts the listeners.

The packages, in the order in which data passes them:

1. `cluster` and `routing` bring in routing maps, compile them, and report what is loaded.
2. `state` holds the compiled snapshot, the counters and the limits.
3. `http` reads a request off the wire and passes it to 4 or 5.
4. `predict` answers a prediction: pure, except for the counters.
5. `admin` switches, freezes and unfreezes on behalf of a caller.

`errors` is the tree of refusals, and `problems` maps each of them to an HTTP response.
"""
