"""Everything that decides: pure functions from what exists to the desired state. No clock, network or environment.

- `objects` (accessors for raw objects), `observed` (typed ones), `statuses`, `conditions`, `settings`, `outcome`;
- children: `pods`, `rbac`, `services`, `server`, `training`, `data_sources`, `adoption`;
- documents: `routing` (a route's document), `routing_map` (all of a ConfigMap), `routing_view`, `formats`, `last_good`;
- facts: `artifacts`, `job_progress`, `rollout`, `acknowledgements`, `withdrawal`, `missing_features`, `kstatus`;
- plans and statuses: `model_plan` and `model_status`, `route_plan` and `route_status`, `server_plan` and
  `server_status`, `routing_plan`, `trainer_plan`; `change_events` and `unknown_fields` of every status.
"""
