"""The kinds that the operator watches, and those that it reads only when it needs them."""

from linplane_api import names
from linplane_api.kinds import (
    CONFIG_MAP,
    DEPLOYMENT,
    DISRUPTION_BUDGET,
    JOB,
    OURS,
    POD,
    ROLE,
    ROLE_BINDING,
    SERVICE,
    SERVICE_ACCOUNT,
    Kind,
)

WATCHED: dict[Kind, str] = {
    **dict.fromkeys(OURS, ""),
    CONFIG_MAP: "",  # any ConfigMap can be a source of weights or data
    POD: f"{names.LABEL_NAME}={names.APP}",
    **dict.fromkeys(
        (DEPLOYMENT, JOB, SERVICE, SERVICE_ACCOUNT, DISRUPTION_BUDGET), f"{names.LABEL_MANAGED_BY}={names.APP}"
    ),
}
"""Every kind that is listed and watched, with its label selector."""

UNWATCHED = (ROLE, ROLE_BINDING)
"""Child kinds that are read one by one: without list and watch on them the operator's own Role stays smaller."""
