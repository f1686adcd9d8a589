"""LinearModel: from what it asks for to its artifact, and what its status says of it."""

from dataclasses import replace

from linplane_api.kinds import JOB, LINEAR_MODEL
from linplane_api.resources import LinearModelSpec, parse_spec, plain

from ..cluster import ConflictError, NameTakenError, RefusedError
from ..compile.conditions import settle
from ..compile.model import ModelPlan, not_carried_out, plan_model
from ..compile.model_status import model_status, validated_and_ready
from ..compile.objects import Object, generation_of, is_deleting, name_of, status_of, uid_of
from ..compile.progress import seconds_to_pod
from ..compile.versions import Belongings
from ..compile.waiting import with_progress
from ..queue import Result, earliest
from ..refusals import Refusals
from ..world import key_of
from .tools import Tools, cause_of
from .trainers import Trainers


class ModelReconciler:
    """Trains or takes over each version, and judges it."""

    def __init__(self, tools: Tools, trainers: Trainers) -> None:
        self._world = tools.world
        self._cluster = tools.cluster
        self._settings = tools.settings
        self._now = tools.now
        self._stamp = tools.stamp
        self._survey = tools.survey
        self._lookout = tools.lookout
        self._statuses = tools.statuses
        self._refusals = Refusals(tools.cluster, tools.now)
        self._trainers = trainers

    async def reconcile(self, namespace: str, name: str) -> Result:
        """Reconciles one."""
        model = self._world.get(LINEAR_MODEL, namespace, name)
        if model is None or is_deleting(model):
            self._statuses.forget(LINEAR_MODEL, namespace, name)
            return await self._statuses.write_deleting(LINEAR_MODEL, model, self._stamp())
        spec = parse_spec(model, LinearModelSpec)
        around = await self._with_refusal(await self._lookout.around(model, spec))
        plan = plan_model(model, spec, around, self._settings, self._now())
        try:
            await self._carry_out(model, plan)
        except (NameTakenError, RefusedError) as error:
            plan = not_carried_out(cause_of(error))
        wishes = [plan.trained, *validated_and_ready(plan, frozen=spec.frozen), self._survey.withdrawn(model, spec)]
        conditions = settle(
            with_progress(wishes, plan.inherited), status_of(model), generation_of(model), self._stamp()
        )
        serving = self._survey.serving_in(namespace, spec)
        status = plain(model_status(model, plan, conditions, serving))
        written = await self._statuses.write(LINEAR_MODEL, model, status)
        return earliest(written, Result(plan.requeue_after))

    async def _with_refusal(self, around: Belongings) -> Belongings:
        """Asks why where a Job has had no pod for a while."""
        for job in around.jobs:
            left = seconds_to_pod(job, around.pods, self._now())
            if left is not None and left <= 0 and (refusal := await self._refusals.of(job)):
                return replace(around, refusal=refusal)
        return around

    async def _carry_out(self, model: Object, plan: ModelPlan) -> None:
        if plan.delete:  # only by what is asked for now: the view may be behind
            live = await self._cluster.read(LINEAR_MODEL, *key_of(model))
            if live is None or uid_of(live) != uid_of(model) or generation_of(live) != generation_of(model):
                raise ConflictError(f"LinearModel {name_of(model)} has changed meanwhile")
        for kind, body in plan.delete:
            await self._cluster.delete(kind, body)
        for body in plan.create:
            if body["kind"] == JOB.kind:
                await self._trainers.let(key_of(model)[0])
            await self._cluster.apply(body)
        if plan.seal is not None:
            await self._cluster.replace({**plan.seal, "immutable": True}, plan.seal)
            await self._trainers.let(key_of(model)[0])
