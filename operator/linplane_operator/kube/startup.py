"""The steps before the first reconcile: permissions, CRDs, and a first list of every kind."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from functools import partial
from typing import Any

from kubernetes.aio import config
from kubernetes.aio.client import Configuration

from linplane_api import names
from linplane_api.api_access import ApiError
from linplane_api.kinds import OURS, Kind
from linplane_api.timing import Backoff

from .credentials import KubeconfigError, refresh
from .http import HttpClient
from .options import Options
from .permissions import missing_permissions
from .watched_kinds import WATCHED

CRD_SECONDS = 2.0
BACKOFF = Backoff(1.0, 5.0)

log = logging.getLogger(__name__)


class MissingPermissionsError(Exception):
    """The operator lacks permissions; one line each."""


class Startup:
    """Each step retries until the API server answers and permits it: an operator that starts before the API server or
    its Role is no error, and another start would not help.
    """

    def __init__(self, client: HttpClient, options: Options, configuration: Configuration) -> None:
        self._client = client
        self._options = options
        self._configuration = configuration
        self.waiting_for = ""
        """The step that is being retried, with its last error; empty if there is none."""

    async def check_permissions(self) -> None:
        """Raises MissingPermissionsError."""
        missing = await self.retry(
            "the operator's permissions", lambda: missing_permissions(self._client, self._options.namespaces)
        )
        if missing:
            raise MissingPermissionsError("\n".join(missing))

    async def wait_for_crds(self) -> None:
        """Returns once the API server has every CRD of the project."""
        while missing := await self.retry("the list of CRDs", self._missing_crds):
            self.waiting_for = f"waiting for the CRDs of {', '.join(sorted(missing))}"
            log.info(self.waiting_for)
            await asyncio.sleep(CRD_SECONDS)
        self.waiting_for = ""

    async def list_all(self, list_kind: Callable[[Kind], Awaitable[None]]) -> None:
        """Lists all kinds concurrently, each until it succeeds: a list may be forbidden although the permission check
        allowed it.
        """
        await _gather(self.retry(f"a list of {kind.plural}", partial(list_kind, kind)) for kind in WATCHED)
        self.waiting_for = ""

    async def retry(self, step: str, work: Callable[[], Awaitable[Any]]) -> Any:
        """The result of `work`, once it raises no ApiError."""
        failures = 0
        while True:
            try:
                return await work()
            except ApiError as error:
                self.waiting_for = f"{step}: {error}"
                log.warning("%s; retrying", self.waiting_for)
                if error.status == 401 and not self._options.in_cluster:
                    await self._refresh_credentials()
            failures += 1
            await asyncio.sleep(BACKOFF.delay(failures))

    async def _refresh_credentials(self) -> None:
        """From the kubeconfig; in a cluster the client itself reads the token again each minute."""
        try:
            await refresh(self._configuration, self._options.kubeconfig, self._options.context)
        except (KubeconfigError, config.ConfigException, OSError) as error:
            log.warning("no new credentials: %s", error)

    async def _missing_crds(self) -> set[str]:
        """The plurals of the project's resources that the API server does not serve."""
        try:
            answer = await self._client.call("GET", f"/apis/{names.API_VERSION}")
        except ApiError as error:
            if error.status != 404:
                raise
            answer = {}
        return {kind.plural for kind in OURS} - {item["name"] for item in answer.get("resources") or ()}


async def _gather(works: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Runs them concurrently. The first error cancels the others and is raised as itself, not in a group."""
    try:
        async with asyncio.TaskGroup() as group:
            for work in works:
                group.create_task(work)
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None


async def done_before(stop: asyncio.Event, work: Coroutine[Any, Any, None]) -> bool:
    """True once the work is done; False, with the work cancelled, if `stop` is set first."""
    working, stopping = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            await working
        return working.done()
    finally:
        stopping.cancel()
        working.cancel()
