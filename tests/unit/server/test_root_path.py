"""A server behind a proxy that has a prefix before every path, whether it removes the prefix or not."""

import html.parser
import json
import re
from urllib.parse import urljoin

import httpx
import pytest

from linplane_server.settings import Public
from unit.server.builders import document, serving
from unit.server.corpus import INFERENCES, MATRIX, PREDICT, REQUESTS, post
from unit.server.wire import PUBLIC, Wire

BEHIND = Public(root_path="/scoring")
MORE = [
    ("metadata", post(b"", target=b"/v2", method=b"GET")),
    ("index", post(b"", target=b"/v2/repository/index")),
    ("route", post(b"", target=b"/routes/homes", method=b"GET")),
    ("docs", post(b"", target=b"/docs", method=b"GET")),
    ("the document", post(b"", target=b"/openapi.json", method=b"GET")),
]
ASKED = dict([*INFERENCES, *((name, data) for name, data in REQUESTS if data.startswith(b"POST /")), *MORE])


async def wire(fast: bool, public: Public) -> Wire:
    return Wire(await serving(document(split=[("v2", 5000)])), fast, public=public, docs=True)


@pytest.mark.parametrize("fast", [True, False], ids=["fast path", "application"])
async def test_root_path_changes_no_answer_whether_a_request_has_it_or_not(fast: bool) -> None:
    plain, removed, kept = await wire(fast, PUBLIC), await wire(fast, BEHIND), await wire(fast, BEHIND)
    for name, data in ASKED.items():
        prefixed = re.sub(rb"(?m)^([A-Z]+) (http://\w+)?/", rb"\1 \2/scoring/", data)
        for one in (plain, removed, kept):
            one.connect()
        expected = await plain.send(data)
        assert expected or name.endswith("without an end"), name
        assert await removed.send(data) == expected, name
        assert await kept.send(prefixed) == expected, name
    assert plain.calls == removed.calls == kept.calls


class Links(html.parser.HTMLParser):
    """The base and the targets of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.base = ""
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        target = values.get("href") or values.get("src")
        if tag == "base":
            self.base = target or ""
        elif target:
            self.found.append(target)


async def get(one: Wire, path: str, accept: str = "*/*") -> str:
    """The body of a page, by the application alone: it reads files in threads."""
    transport = httpx.ASGITransport(one.config.loaded_app)
    async with httpx.AsyncClient(transport=transport, base_url="http://host") as client:
        answer = await client.get(path, headers={"Accept": accept})
    assert answer.status_code == 200, path
    return answer.text


@pytest.mark.parametrize("page", ["/scoring", "/scoring/", "/scoring/docs"])
@pytest.mark.parametrize("removes", [True, False], ids=["a proxy that removes it", "a proxy that keeps it"])
async def test_links_of_a_page_behind_a_root_path_lead_to_pages(page: str, removes: bool) -> None:
    one = await wire(False, BEHIND)

    async def ask(url: str, accept: str = "*/*") -> str:
        assert url == "/scoring" or url.startswith("/scoring/")
        return await get(one, url.removeprefix("/scoring") or "/" if removes else url, accept)

    text = await ask(page, "text/html")
    links = Links(text)
    found = links.found + re.findall(r"url: '([^']+)'", text)  # the documentation loads its document by this
    assert len(found) >= 4
    for link in found:
        await ask(urljoin(urljoin(page, links.base), link))


async def test_links_are_relative_if_the_root_path_is_not_known() -> None:
    one = await wire(False, PUBLIC)
    links = Links(await get(one, "/", "text/html"))
    assert links.base == ""
    assert not [link for link in links.found if link.startswith("/") or ":" in link]


async def test_root_path_is_in_the_link_to_the_documentation() -> None:
    assert json.loads(await get(await wire(False, BEHIND), "/scoring"))["docs"] == "/scoring/docs"
    assert json.loads(await get(await wire(False, PUBLIC), "/"))["docs"] == "/docs"


@pytest.mark.parametrize("path", ["/openapi.json", "/routes/homes/openapi.json"])
async def test_server_of_a_document_behind_a_root_path_answers_its_paths(path: str) -> None:
    one = await wire(False, BEHIND)
    found = json.loads(await get(one, f"/scoring{path}"))
    (server,) = found["servers"]
    base = urljoin(f"http://host/scoring{path}", server["url"])
    assert base.removesuffix("/") == "http://host/scoring"
    (target,) = [name for name in found["paths"] if name.endswith("/predict") and "{" not in name]
    one.connect()
    answer = await one.send(post(PREDICT, target=f"/scoring{target}".encode()))
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")


async def test_refusal_on_the_wire_behind_a_root_path_has_the_form_of_the_protocol() -> None:
    one = await wire(True, BEHIND)
    target = b"/scoring/v2/models/homes/infer"
    answer = await one.send(post(MATRIX, target=target).replace(b"Content-Length: ", b"Content-Length: x"))
    assert json.loads(answer.partition(b"\r\n\r\n")[2]).keys() == {"error"}
