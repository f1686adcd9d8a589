"""One reconciler a kind: `model`, `route`, `server`. Each reads as the same four steps.

1. observe: gather typed inputs, from the cache and by live reads of what it lacks (`queries`, `live`);
2. plan: a pure function of `compile/` decides everything, reasons and conditions among it;
3. apply: do the I/O of the plan, and return the cause if something cannot be applied;
4. status: a pure function of the plan and that cause; `statuses` writes it once.

`reconciler` takes a key to its kind. A route's document is written with all others of its server, by `routing`;
`trainer_rbac` gives Jobs their rights, `missing_features` sends Events, and `context` holds what they all work with.
"""
