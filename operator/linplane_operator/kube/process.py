"""The operator as a process: logging, signals, exit status."""

import asyncio
import gc
import logging
import signal

from prometheus_client import disable_created_metrics

from linplane_api import logs

from .operator import run
from .options import Options
from .startup import MissingPermissionsError

log = logging.getLogger(__name__)


GC_ALLOCATIONS = 50_000
"""New containers between two runs of the garbage collector. At CPython's 700, its runs during a LIST take almost as
long as decoding it, and find nothing: decoded JSON has no cycles.
"""

KOPFS = ("settings", "k8s_skip")
"""Keys that Kopf adds to log records for its own use. `k8s_ref`, the object of a record, is logged."""


def set_up_logs(level: str = "info") -> None:
    """JSON lines to standard error, without Kopf's lines per event."""
    logs.configure(KOPFS, level=logs.LEVELS[level])
    logging.captureWarnings(True)
    logging.getLogger("kopf.objects").setLevel(logging.WARNING)
    for name in ("orchestration", "running"):  # the supervisor logs why Kopf stopped
        logging.getLogger(f"kopf._core.reactor.{name}").setLevel(logging.CRITICAL)
    logging.getLogger("asyncio").addFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    """False for the harmless error of a callback of Kopf's when a stream is cancelled."""
    return "stream.<locals>.request_cancel_callback" not in record.getMessage()


async def serve(options: Options) -> int:
    """Runs until SIGTERM or SIGINT. Returns the exit status: 0, 2 if permissions are missing, 1 after any other error,
    which is logged.
    """
    set_up_logs(options.log_level)
    gc.set_threshold(GC_ALLOCATIONS, 20, 20)
    disable_created_metrics()  # type: ignore[no-untyped-call] # a timestamp per counter, which is not used
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        await run(options, stop)
    except MissingPermissionsError as error:
        for line in str(error).splitlines():
            log.error("missing permission: %s", line)  # noqa: TRY400 - a traceback would not help
        return 2
    except Exception:
        log.critical("the operator failed", exc_info=True)
        return 1
    return 0
