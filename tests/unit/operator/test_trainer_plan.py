"""The rights of a namespace's trainers: exactly the results that are waited for."""

import pytest

from linplane_operator.compile.observed import ConfigMap, Job
from linplane_operator.compile.trainer_plan import OWNERS, TrainerInputs, Training, plan_trainers
from unit.operator.builders import Object, observed, with_meta
from unit.operator.planning import COMPLETE, FAILED, job, model, result

MODEL = model()
RUNNING, DONE, BROKEN = (observed(Job, job(MODEL, *conditions))[0] for conditions in ((), (COMPLETE,), (FAILED,)))
OPEN, SEALED = observed(ConfigMap, result(MODEL), result(MODEL, sealed=True))
NAME = OPEN.name


def granted(children: tuple[Object, ...]) -> list[str]:
    """The results that trainers may patch."""
    (role,) = (body for body in children if body["kind"] == "Role")
    return [name for rule in role["rules"] for name in rule["resourceNames"]]


@pytest.mark.parametrize(
    ("jobs", "results", "may_write"),
    [
        ([], [], False),
        ([RUNNING], [], True),
        ([RUNNING], [OPEN], True),
        ([], [OPEN], True),
        ([BROKEN], [OPEN], True),
        ([DONE], [], False),
        ([BROKEN], [], False),
        ([RUNNING], [SEALED], False),
        ([DONE], [SEALED], False),
    ],
)
@pytest.mark.parametrize("has_account", [True, False])
def test_trainers_may_write_what_is_waited_for(jobs, results, may_write, has_account):
    plan = plan_trainers(TrainerInputs("default", [Training(MODEL, jobs, results)], has_account))
    assert granted(plan.children) == ([NAME] if may_write else [])
    assert plan.is_needed == (may_write or has_account)


def test_trainers_of_a_namespace_without_trainings_need_nothing():
    plan = plan_trainers(TrainerInputs("default", [], True))
    assert not plan.is_needed
    assert granted(plan.children) == []


def test_trainers_belong_to_a_bounded_number_of_models():
    models = [with_meta(MODEL, name=f"m{i}", uid=f"u{i}") for i in range(OWNERS + 1)]
    plan = plan_trainers(TrainerInputs("default", [Training(one, (), ()) for one in models], True))
    assert [len(body["metadata"]["ownerReferences"]) for body in plan.children] == [OWNERS] * 3
