"""Bodies that are computed while they arrive, without a network."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from msgspec.structs import replace as with_fields

from linplane_server.predict.interface import Answer, Call, Target
from linplane_server.predict.parts import Steps
from linplane_server.state.serving import Serving
from unit.server.builders import Client
from unit.server.wire import counted


def steps_of(steps: Steps, parts: Iterable[bytes]) -> Iterator[int | Answer | None]:
    """All that a generator yields, and at last its answer."""
    left = iter(parts)
    step = next(steps)
    try:
        while True:
            yield step
            step = steps.send(None if step is None else next(left, None))
    except StopIteration as done:
        yield done.value


def both(loaded: Serving, target: Target, call: Call, parts: Sequence[bytes]) -> tuple[list[Any], list[Any]]:
    """The answer and all counts: of a body in parts, and of the same as a whole."""
    first, second = Client(loaded).predictor, Client(loaded).predictor
    before = counted(loaded)
    *_, streamed = steps_of(first.stream(target, call), parts)
    between = counted(loaded)
    whole = second.respond(target, with_fields(call, data=b"".join(parts)))
    return [streamed, difference(between, before)], [whole, difference(counted(loaded), between)]


def difference(after: list[Any], before: list[Any]) -> list[Any]:
    """What was counted between two moments."""
    return [
        (
            new[:2],
            new[2] - old[2],
            {kind: n - old[3].get(kind, 0) for kind, n in new[3].items() if n != old[3].get(kind)},
        )
        for new, old in zip(after, before, strict=True)
    ]


def cut(body: bytes, places: Iterable[int]) -> list[bytes]:
    """The body in parts."""
    ends = sorted({place for place in places if place < len(body)})
    return [body[begin:end] for begin, end in zip([0, *ends], [*ends, len(body)], strict=True)]
