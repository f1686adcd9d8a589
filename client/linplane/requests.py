"""The address, the header fields and the limits of one client's requests. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import httpx

from .bodies import encode_rows
from .exchange import BodyLimit, Exchange, exchange
from .retrying import Retrying
from .rows import Rows, rows_of

MAX_PORT = 65535

_is_name = re.compile(r"[a-z0-9-]+").fullmatch


@dataclass(frozen=True)
class Requests:
    """`server` is the URL for messages, without credentials; `fields` are the header fields of each request; `page` is
    the URL of the route's description, if the route is known.
    """

    url: httpx.URL
    page: httpx.URL | None
    server: str
    fields: Mapping[str, str]
    body: BodyLimit
    retrying: Retrying

    @classmethod
    def to(  # noqa: PLR0913, PLR0917 - the parameters of a client
        cls,
        url: str,
        route: str | None,
        host: str | None,
        headers: Mapping[str, str] | None,
        max_body_bytes: int | None,
        retrying: Retrying,
    ) -> Self:
        """Returns the requests to one route. Raises ValueError for an address or a route's name that is none."""
        if route is not None and not _is_name(route):
            raise ValueError("route: lower-case letters, digits and hyphens are needed")
        path = "/predict" if route is None else f"/routes/{route}/predict"
        try:
            base = httpx.URL(url.rstrip("/"))
            found = httpx.URL(url.rstrip("/") + path)
        except httpx.InvalidURL as error:
            raise ValueError(f"url: {error}") from error
        if found.scheme not in {"http", "https"} or not found.host or found.query or found.fragment:
            raise ValueError("url: http:// or https:// and a host are needed, without a query")
        if found.port is not None and found.port > MAX_PORT:  # a socket would take its lower 16 bits
            raise ValueError(f"url: a port is at most {MAX_PORT}")
        fields = {**(headers or {}), "content-type": "application/json", **({"host": host} if host else {})}
        page = None if route is None else httpx.URL(url.rstrip("/") + f"/routes/{route}")
        body = BodyLimit(max_body_bytes, page is not None)
        return cls(found, page, str(base.copy_with(userinfo=b"")), fields, body, retrying)

    def exchange(self, rows: Rows, key: str | None, *, one: bool = False) -> Exchange:
        """Returns the exchange for these rows; `one` if errors are those of a single row. Raises
        TypeError or ValueError if they are none.
        """
        return exchange(encode_rows(rows_of(rows)), key, self.body, self.retrying, self.server, one)


def checked_timeout(seconds: float) -> float:
    """Returns the timeout of an attempt. Raises ValueError if no response could come in it."""
    if not seconds > 0:
        raise ValueError("timeout: more than 0 seconds are needed")
    return seconds
