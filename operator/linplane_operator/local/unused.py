"""What manifests say that means nothing in local mode: it is taken, and named, so that nobody waits for it. What
would change data, fit or traffic is not here: that is refused, or a condition says so. Pure.
"""

from linplane_api import names
from linplane_api.kinds import LINEAR_MODEL, MODEL_SERVER, Kind

from ..compile.objects import Object, name_of, namespace_of, spec_of

USED_OF_JOB = ("backoffLimit", "activeDeadlineSeconds")
USED_OF_SERVER = ("trustedProxies",)
DEFAULT_REPLICAS = 2


def unused_parts(kind: Kind, body: Object) -> list[str]:
    """One text for each part of an accepted object that means nothing here."""
    found = []
    spec = spec_of(body)
    if kind is MODEL_SERVER and name_of(body) != names.DEFAULT_SERVER:
        return [f"the server {names.DEFAULT_SERVER} alone runs here"]
    if kind is MODEL_SERVER:
        found = [f"spec.{name}" for name in sorted(spec) if name not in USED_OF_SERVER]
        if spec.get("replicas") in (1, DEFAULT_REPLICAS):
            found.remove("spec.replicas")
    if kind is LINEAR_MODEL:
        job = (spec.get("training") or {}).get("job") or {}
        found = [f"spec.training.job.{name}" for name in sorted(job) if name not in USED_OF_JOB]
    if namespace_of(body) != "default":
        found.append("metadata.namespace")
    return [f"{place} means nothing in local mode" for place in found]
