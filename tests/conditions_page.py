"""`docs/conditions.md`, from the table of conditions."""

from linplane_api.condition_table import ROWS, TYPES, Progress, Row

HEAD = """# Conditions

Generated from `crds/linplane_api/condition_table.py` by `make generate`.

Each object reports its state in `status.conditions`. A condition has a type, a status, one of the reasons below and a
message for people. `Ready` sums up the others and gives the reason of the first that keeps the object from being Ready.

`Stalled=True` and `Reconciling=True` say whether waiting helps while an object is not Ready, for tools that use
kstatus, such as Helm and Flux. `Stalled`: only a person can end it, so those tools fail at once. `Reconciling`: it may
end by itself, so they wait. Otherwise both are absent, as they are next to `Ready=True`. A change that every replica
confirms within a second does not show `Reconciling`; until then `status.observedGeneration` is lower than
`metadata.generation`.

| type | meaning |
| --- | --- |
"""
BETWEEN = """
## Reasons

*Inherited*: that of the object that the reason waits for. A route is Stalled if the version that it waits for is frozen
or Stalled, and Reconciling if that version is; a version whose artifact is lost has that of its new training; without a
replica an object is Reconciling unless the ModelServer has `replicas: 0`.

| reason | conditions | waiting | meaning | action |
| --- | --- | --- | --- | --- |
"""
WAITING = {Progress.NONE: "", Progress.INHERITED: "*Inherited*"}


def page() -> str:
    """The page as Markdown."""
    types = "".join(f"| `{kind}` | {meaning} |\n" for kind, meaning in TYPES.items())
    return HEAD + types + BETWEEN + "".join(map(_line, sorted(ROWS, key=lambda row: row.reason)))


def _line(row: Row) -> str:
    statuses = "<br>".join(f"{kind}={status}" for kind, status in row.statuses.items())
    waiting = WAITING.get(row.progress, row.progress.value)
    return f"| `{row.reason}` | {statuses} | {waiting} | {row.meaning} | {row.action} |\n"
