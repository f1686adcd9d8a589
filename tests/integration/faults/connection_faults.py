"""Temporary faults of the connection between the operator and the API server."""

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from integration.faults.calls import Action, Answer, Call, Delay, Event, Gone, Lose, Rule, Stale
from integration.faults.proxied_site import ProxiedSite

FaultContext = Callable[[ProxiedSite], AbstractContextManager[None]]


@dataclass(frozen=True)
class Fault:
    """A fault that lasts while `during` is entered, and at least so many seconds; `tls`: the proxy speaks TLS."""

    during: FaultContext
    seconds: float
    tls: bool = False


def ruled(make: Callable[[], Rule], seconds: float, *, tls: bool = False) -> Fault:
    """A rule in force."""

    @contextmanager
    def during(site: ProxiedSite) -> Iterator[None]:
        site.proxy.rules[:] = [make()]
        try:
            yield
        finally:
            site.proxy.rules.clear()

    return Fault(during, seconds, tls)


def always(action: Action, *, watches: bool = True) -> Callable[[], Rule]:
    """Applies to each call, except watches if `watches` is false."""
    return lambda: lambda call: action if watches or not call.is_watch else None


def every(number: int, action: Action, about: Callable[[Call], bool] = lambda _: True) -> Callable[[], Rule]:
    """Applies to every n-th of those calls."""

    def make() -> Rule:
        count = itertools.count(1)
        return lambda call: action if about(call) and next(count) % number == 0 else None

    return make


def first_reply_of_each_write() -> Rule:
    """The answer is lost though the write was applied, so the operator retries."""
    seen: Counter[str] = Counter()

    def rule(call: Call) -> Action | None:
        if not call.is_write:
            return None
        seen[call.what] += 1
        return Lose(applied=True) if seen[call.what] == 1 else None

    return rule


@contextmanager
def cut_again_and_again(site: ProxiedSite) -> Iterator[None]:
    """Each watch is cut twice a second."""
    over = threading.Event()

    def work() -> None:
        while not over.wait(0.5):
            site.proxy.cut()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextmanager
def silent(site: ProxiedSite) -> Iterator[None]:
    """Open watches stay silent, also afterwards."""
    site.proxy.silence()
    try:
        yield
    finally:
        site.proxy.come_back()


@contextmanager
def repeated(site: ProxiedSite) -> Iterator[None]:
    """Each event is delivered three times."""
    site.proxy.repeat = lambda call, event: 3
    try:
        yield
    finally:
        site.proxy.repeat = None


@contextmanager
def dropped(site: ProxiedSite) -> Iterator[None]:
    """The first event of each object, and of each deletion, is not delivered."""
    seen: set[tuple[str, str]] = set()

    def repeat(call: Call, event: Event) -> int:
        key = (str(event["type"]), str(event["object"]["metadata"].get("uid")))
        if event["type"] == "BOOKMARK" or key in seen:
            return 1
        seen.add(key)
        return 0

    site.proxy.repeat = repeat
    try:
        yield
    finally:
        site.proxy.repeat = None
        site.proxy.cut()  # otherwise the lost events could never be detected


@contextmanager
def too_late(site: ProxiedSite) -> Iterator[None]:
    """Each watch is cut, and gets 410 when it resumes: the operator lists again, without the deleted objects."""
    cutting = threading.Event()
    site.proxy.rules[:] = [lambda call: Lose() if not cutting.is_set() and call.is_watch else None]
    site.proxy.cut()
    try:
        yield
    finally:
        notified: set[str] = set()

        def rule(call: Call) -> Action | None:
            if not call.is_watch or call.path in notified:
                return None
            notified.add(call.path)
            return Gone()

        site.proxy.rules[:] = [rule]


@contextmanager
def errors_in_watches(site: ProxiedSite) -> Iterator[None]:
    """Each watch is cut, and gets 500 meanwhile, as from an etcd without a leader."""
    site.proxy.rules[:] = [lambda call: Gone(500) if call.is_watch else None]
    site.proxy.cut()
    try:
        yield
    finally:
        site.proxy.rules.clear()


@contextmanager
def stale(site: ProxiedSite) -> Iterator[None]:
    """LISTs are stale, and watches start from them; GETs are up to date."""
    site.proxy.remember()
    time.sleep(0.1)
    site.proxy.rules[:] = [lambda call: Stale() if call.is_list else None]
    site.crash()
    try:
        yield
    finally:
        site.proxy.rules.clear()


@contextmanager
def starts_without_rights(site: ProxiedSite) -> Iterator[None]:
    """The operator crashes, and LISTs of the next one are refused."""
    yield from _starts_with(site, Answer(403))


@contextmanager
def lists_expire(site: ProxiedSite) -> Iterator[None]:
    """The operator crashes, and each list of the next one gets 410."""
    yield from _starts_with(site, Answer(410))


def _starts_with(site: ProxiedSite, answer: Answer) -> Iterator[None]:
    site.proxy.rules[:] = [lambda call: answer if call.is_list else None]
    site.crash()
    try:
        yield
    finally:
        site.proxy.rules.clear()


def away(how: str) -> FaultContext:
    """The API server is down."""

    @contextmanager
    def during(site: ProxiedSite) -> Iterator[None]:
        site.proxy.leave(how)
        try:
            yield
        finally:
            site.proxy.come_back()

    return during


def _is_write(call: Call) -> bool:
    return call.is_write


FAULTS = {
    "the first reply of each write is lost": ruled(first_reply_of_each_write, 5),
    "409 at every 2nd write": ruled(every(2, Answer(409), _is_write), 5),
    "409 at every 3rd write": ruled(every(3, Answer(409), _is_write), 5),
    "429 with Retry-After": ruled(always(Answer(429, retry_after=2)), 8),
    "500": ruled(always(Answer(500)), 15),
    "503": ruled(always(Answer(503)), 15),
    "500 at every 3rd call": ruled(every(3, Answer(500)), 10),
    "403": ruled(always(Answer(403)), 10),
    "every call is slow": ruled(always(Delay(1.0)), 10),
    "connections are reset": ruled(every(2, Lose()), 10, tls=True),
    "connections are reset after the call": ruled(every(2, Lose(applied=True)), 10, tls=True),
    "watches are cut": Fault(cut_again_and_again, 10),
    "watches are silent": Fault(silent, 30, tls=True),
    "watches are too late (410)": Fault(too_late, 5),
    "an ERROR 500 in each watch": Fault(errors_in_watches, 10),
    "403 for an operator that starts": Fault(starts_without_rights, 10),
    "410 for its lists": Fault(lists_expire, 10),
    "events come three times": Fault(repeated, 5),
    "events are dropped": Fault(dropped, 5),
    "lists are stale": Fault(stale, 5),
    "60 s away, refusing": Fault(away("reset"), 60),
    "60 s away, without a word": Fault(away("hang"), 60, tls=True),
}
