"""The two clients: they send what `exchange` yields, and wait. Nothing else in this package does any I/O."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from types import TracebackType
from typing import Self

import httpx

from .answers import Batch, Prediction, Predictions
from .errors import ClosedError
from .exchange import Describe, Outcome, Send, Wait, next_step
from .requests import Requests, checked_timeout
from .retrying import Retrying
from .rows import Row, Rows


class Client:
    """Sends rows to one route and blocks until the predictions are there; safe to share between threads.

    `url` is a server's public address. `route` is the route's name; without one the first label of the host names it,
    as in http://rent/predict, and `host` overrides that (through a port-forward or a gateway). `headers` go with every
    request, such as the header of the route's split key, or a gateway's credentials. `timeout` in seconds is for each
    attempt; `retries`, `max_wait`, `jitter` and `clock` are explained at `Retrying`, and `sleep` takes seconds.
    `max_body_bytes` is the limit of a body; by default that which `GET /routes/ROUTE` says, else 1 MiB.
    `transport` replaces that of httpx, for a proxy, for certificates, or in tests: no environment variable is read.
    Raises ValueError for a URL that is none, a timeout that is not above 0, or retries below 0.
    """

    def __init__(  # noqa: PLR0913 - most have a default
        self,
        url: str,
        route: str | None = None,
        *,
        host: str | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = 10.0,
        retries: int = 2,
        max_wait: float = 30.0,
        max_body_bytes: int | None = None,
        jitter: Callable[[], float] | None = None,
        sleep: Callable[[float], object] = time.sleep,
        clock: Callable[[], float] = time.time,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """See the class. No connection is made yet."""
        retrying = Retrying(retries, max_wait, clock, jitter)
        self._requests = Requests.to(url, route, host, headers, max_body_bytes, retrying)
        self._sleep = sleep
        self._http = httpx.Client(timeout=checked_timeout(timeout), transport=transport, trust_env=False)

    def predict(self, row: Row, *, key: str | None = None) -> Prediction:
        """Returns the prediction of one row. `key` identifies the user, for the split. Raises LinplaneError; TypeError
        or ValueError for a row that cannot be sent.
        """
        return Predictions(self._batches((row,), key, one=True))[0]

    def predict_rows(self, rows: Rows, *, key: str | None = None) -> Predictions:
        """Returns the predictions of several rows, in their order. `key` identifies the user that all of them belong
        to. Raises as `predict`, with the number of the row; nothing is returned then.
        """
        return Predictions(self.predict_batches(rows, key=key))

    def predict_batches(self, rows: Rows, *, key: str | None = None) -> Iterator[Batch]:
        """Iterates over the predictions as they come, one Batch for each request, for more rows than fit into memory:
        `rows` is read as far as needed. Raises as `predict_rows`, after the batches before the error.
        """
        return self._batches(rows, key)

    def _batches(self, rows: Rows, key: str | None, *, one: bool = False) -> Iterator[Batch]:
        steps, outcome = self._requests.exchange(rows, key, one=one), None
        while (step := next_step(steps, outcome)) is not None:
            outcome = None
            if isinstance(step, Send | Describe):
                outcome = self._send(step)
            elif isinstance(step, Wait):
                self._sleep(step.seconds)
            else:
                yield step

    def _send(self, step: Send | Describe) -> Outcome:
        if self._http.is_closed:
            raise ClosedError("the client is closed")
        requests = self._requests
        try:
            if isinstance(step, Send):
                return self._http.post(requests.url, content=step.body, headers=requests.fields)
            assert requests.page is not None
            return self._http.get(requests.page, headers=requests.fields)
        except httpx.TransportError as error:
            return error

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        """Returns the client."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes the connections."""
        self.close()


class AsyncClient:
    """`Client` for asyncio: the same parameters, methods and errors; `sleep` is awaited, and so is each method."""

    def __init__(  # noqa: PLR0913 - most have a default
        self,
        url: str,
        route: str | None = None,
        *,
        host: str | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = 10.0,
        retries: int = 2,
        max_wait: float = 30.0,
        max_body_bytes: int | None = None,
        jitter: Callable[[], float] | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        clock: Callable[[], float] = time.time,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """See Client. No connection is made yet."""
        retrying = Retrying(retries, max_wait, clock, jitter)
        self._requests = Requests.to(url, route, host, headers, max_body_bytes, retrying)
        self._sleep = sleep
        self._http = httpx.AsyncClient(timeout=checked_timeout(timeout), transport=transport, trust_env=False)

    async def predict(self, row: Row, *, key: str | None = None) -> Prediction:
        """See Client."""
        return Predictions([batch async for batch in self._batches((row,), key, one=True)])[0]

    async def predict_rows(self, rows: Rows, *, key: str | None = None) -> Predictions:
        """See Client."""
        return Predictions([batch async for batch in self.predict_batches(rows, key=key)])

    def predict_batches(self, rows: Rows, *, key: str | None = None) -> AsyncIterator[Batch]:
        """See Client."""
        return self._batches(rows, key)

    async def _batches(self, rows: Rows, key: str | None, *, one: bool = False) -> AsyncIterator[Batch]:
        steps, outcome = self._requests.exchange(rows, key, one=one), None
        while (step := next_step(steps, outcome)) is not None:
            outcome = None
            if isinstance(step, Send | Describe):
                outcome = await self._send(step)
            elif isinstance(step, Wait):
                await self._sleep(step.seconds)
            else:
                yield step

    async def _send(self, step: Send | Describe) -> Outcome:
        if self._http.is_closed:
            raise ClosedError("the client is closed")
        requests = self._requests
        try:
            if isinstance(step, Send):
                return await self._http.post(requests.url, content=step.body, headers=requests.fields)
            assert requests.page is not None
            return await self._http.get(requests.page, headers=requests.fields)
        except httpx.TransportError as error:
            return error

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        """Returns the client."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes the connections."""
        await self.aclose()
