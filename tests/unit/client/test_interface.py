"""The package as its users see it: names, parameters, types, context managers, and what an import needs."""

import inspect
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

import linplane
from linplane import AsyncClient, Client
from linplane.exchange import MAX_BODY_BYTES
from linplane_server.settings import Limits
from unit.client.clients import URL, Adding


def parameters(function: Callable[..., Any]) -> list[tuple[str, Any, Any]]:
    """Names, kinds and defaults, except those that differ between blocking and asynchronous."""
    found = inspect.signature(function).parameters.values()
    return [(each.name, each.kind, each.default) for each in found if each.name not in {"sleep", "transport"}]


@pytest.mark.parametrize("name", ["__init__", "predict", "predict_rows", "predict_batches"])
def test_clients_have_the_same_parameters(name: str) -> None:
    assert parameters(getattr(Client, name)) == parameters(getattr(AsyncClient, name))


def test_clients_have_the_same_methods() -> None:
    names = [{name for name in vars(kind) if not name.startswith("_")} for kind in (Client, AsyncClient)]
    assert names[0] - {"close"} == names[1] - {"aclose"}


def test_default_limit_of_a_body_is_accepted_by_a_server() -> None:
    assert Limits().body_bytes >= MAX_BODY_BYTES


def test_public_names_are_documented() -> None:
    assert set(linplane.__all__) == {name for name in vars(linplane) if name[0].isupper()}
    assert all(getattr(linplane, name).__doc__ for name in linplane.__all__)


def test_package_has_types() -> None:
    assert Path(linplane.__file__).with_name("py.typed").exists()


def test_blocking_client_closes_with_its_block() -> None:
    with Client(URL, "homes", transport=httpx.MockTransport(Adding())) as client:
        assert client.predict([1]).value == 1
    with pytest.raises(RuntimeError, match="closed"):
        client.predict([1])


async def test_asynchronous_client_closes_with_its_block() -> None:
    async with AsyncClient(URL, "homes", transport=httpx.MockTransport(Adding())) as client:
        assert (await client.predict([1])).value == 1
    with pytest.raises(RuntimeError, match="closed"):
        await client.predict([1])


IMPORT = """
import sys
sys.modules.update(dict.fromkeys({blocked}))
try:
    import linplane
except ModuleNotFoundError as error:
    print(error)
print([name for name in {heavy} if sys.modules.get(name)])
"""
HEAVY = ["numpy", "pandas", "pyarrow", "yaml", "linplane_api.artifact", "linplane_api.routing", "linplane_cli"]


def imported(*blocked: str) -> list[str]:
    """The lines that a process prints after it imported the package, as if `blocked` were not installed."""
    code = IMPORT.format(blocked=list(blocked), heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    return done.stdout.splitlines()


def test_import_loads_no_library_of_frames() -> None:
    assert imported() == ["[]"]


def test_import_without_httpx_names_the_extra() -> None:
    assert imported("httpx")[0] == 'linplane needs httpx: install "linplane[client]"'
