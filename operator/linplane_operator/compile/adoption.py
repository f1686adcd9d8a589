"""The ownership of an object with the name of a child: adopted if it has lost its owner, else left alone and named."""

from collections.abc import Sequence

from linplane_api import names
from linplane_api.kinds import (
    DEPLOYMENT,
    DISRUPTION_BUDGET,
    ROLE,
    ROLE_BINDING,
    SERVICE,
    SERVICE_ACCOUNT,
    Kind,
)

from .objects import Object, controller_uid, label_of, owners_of

APPLIED_OVER: frozenset[Kind] = frozenset((SERVICE_ACCOUNT, ROLE, ROLE_BINDING, SERVICE, DISRUPTION_BUDGET, DEPLOYMENT))
"""The kinds that an apply brings to the desired state. A result is never adopted: it is trained again."""
IDENTITY = (names.LABEL_NAME, names.LABEL_INSTANCE, names.LABEL_COMPONENT, names.LABEL_MANAGED_BY)


def is_orphan(found: Object, desired: Object) -> bool:
    """`found` is the child `desired` without its owner, as after a restore or --cascade=orphan: it has the labels that
    say whose child it is, and no owner of any kind.
    """
    if owners_of(found) or not controller_uid(desired):
        return False
    return all(label_of(found, key) == label_of(desired, key) for key in IDENTITY)


def owner_of(body: Object) -> str:
    """Kind and name of the controller, empty without one."""
    return next((f"{owner['kind']} {owner['name']}" for owner in owners_of(body) if owner.get("controller")), "")


def taken_text(owner: str, taken: Sequence[str]) -> str:
    """Advice about objects (`Service homes`) that have the names of children of `owner` (`ModelRoute homes`)."""
    *most, last = taken
    listed = f"{', '.join(most)} and {last}" if most else last
    exist, they = ("exist and do", "they are") if most else ("exists and does", "it is")
    rename = f"Rename the {owner.split(maxsplit=1)[0]}, or delete" if owner else "Delete"
    advice = f"{rename} {listed} if {they} left over from a restore or --cascade=orphan"
    lost = next((one for one in taken if one.startswith(f"ConfigMap {names.routing_name('')}")), None)
    cost = f"; the traffic that {lost} holds is lost with it" if lost else ""
    return f"{listed} {exist} not belong to {owner or 'Linplane'}. {advice}{cost}"
