"""One reconcile a kind: read what is known, compile what should be, apply what differs, write the status once. The
order lives here.

`reconciler` takes a key to its kind: `model`, `route` or `server`. A route's document is written with all others of its
server, by `routing`; `trainers` gives Jobs their rights; `tools` is what they all work with.
"""
