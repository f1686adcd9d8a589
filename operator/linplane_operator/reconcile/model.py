"""LinearModel: from its spec to its artifact and its status."""

from dataclasses import replace

from linplane_api.conditions import Cause
from linplane_api.kinds import JOB, LINEAR_MODEL
from linplane_api.resources import LinearModelSpec, parse_spec

from ..cluster_client import ConflictError, NameTakenError, RefusedError
from ..compile.artifacts import OwnedObjects
from ..compile.job_progress import seconds_to_pod
from ..compile.model_plan import ModelInputs, ModelPlan, plan_model
from ..compile.model_status import model_outcome
from ..compile.objects import Object, generation_of, is_deleting, name_of, uid_of
from ..compile.outcome import Result
from ..observe.cache import key_of
from ..observe.pod_failures import PodFailures
from .context import Context, cause_of
from .trainer_rbac import TrainerRbac


class ModelReconciler:
    """Reconciles one LinearModel at a time: trains it or copies its weights, and judges it."""

    def __init__(self, context: Context, trainers: TrainerRbac) -> None:
        self._context = context
        self._pod_failures = PodFailures(context.client, context.now)
        self._trainers = trainers

    async def reconcile(self, namespace: str, name: str) -> Result:
        """Observes, plans, applies the plan and writes the status."""
        context = self._context
        model = context.cache.get(LINEAR_MODEL, namespace, name)
        if model is None or is_deleting(model):
            return await context.end(LINEAR_MODEL, namespace, name, model)
        plan = plan_model(await self._observe(model), context.settings, context.now())
        problem = await self._apply(model, plan)
        return await context.write(LINEAR_MODEL, model, model_outcome(model, plan, problem, context.stamp()))

    async def _observe(self, model: Object) -> ModelInputs:
        spec = parse_spec(model, LinearModelSpec)
        owned = await self._with_refusal(await self._context.live.owned_objects(model, spec))
        return self._context.queries.model_inputs(model, spec, owned)

    async def _with_refusal(self, owned: OwnedObjects) -> OwnedObjects:
        """Reads why a Job has had no pod for a while."""
        for job in owned.jobs:
            left = seconds_to_pod(job, owned.pods, self._context.now())
            if left is not None and left <= 0 and (refusal := await self._pod_failures.of(job)):
                return replace(owned, refusal=refusal)
        return owned

    async def _apply(self, model: Object, plan: ModelPlan) -> Cause | None:
        """Applies the plan. Returns the cause that prevents a child; the rest of the plan is left then."""
        try:
            await self._delete(model, plan)
            await self._create(model, plan)
        except (NameTakenError, RefusedError) as error:
            return cause_of(error)
        return None

    async def _delete(self, model: Object, plan: ModelPlan) -> None:
        client = self._context.client
        if plan.delete:  # only for the current spec: the cache may be behind
            live = await client.read(LINEAR_MODEL, *key_of(model))
            if live is None or uid_of(live) != uid_of(model) or generation_of(live) != generation_of(model):
                raise ConflictError(f"LinearModel {name_of(model)} has changed meanwhile")
        for kind, body in plan.delete:
            await client.delete(kind, body)

    async def _create(self, model: Object, plan: ModelPlan) -> None:
        client, namespace = self._context.client, key_of(model)[0]
        for body in plan.create:
            if body["kind"] == JOB.kind:
                await self._trainers.grant(namespace)
            await client.apply(body)
        if plan.seal is not None:
            await client.replace({**plan.seal, "immutable": True}, plan.seal)
            await self._trainers.grant(namespace)
