"""The operator as a process: JSON logs, and an orderly end at SIGTERM."""

import asyncio
import logging
import signal

from prometheus_client import disable_created_metrics

from linplane_api import logs

from .operator import run
from .options import Options
from .startup import MissingPermissionsError

log = logging.getLogger(__name__)


KOPFS = ("settings", "k8s_skip")
"""What Kopf adds to its records for its own use; `k8s_ref`, the object that a record is about, is written."""


def set_up_logs(level: str = "info") -> None:
    """Everything to standard error; Kopf's word on each event is not wanted."""
    logs.configure(KOPFS, level=logs.LEVELS[level])
    logging.captureWarnings(True)
    logging.getLogger("kopf.objects").setLevel(logging.WARNING)
    for name in ("orchestration", "running"):  # by what Kopf ended is told once, by `watching`, without its inner life
        logging.getLogger(f"kopf._core.reactor.{name}").setLevel(logging.CRITICAL)
    logging.getLogger("asyncio").addFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    """A stream of Kopf's that is told to end takes its callback for a task, which fails; it ends all the same."""
    return "stream.<locals>.request_cancel_callback" not in record.getMessage()


async def serve(options: Options) -> int:
    """Runs until SIGTERM or SIGINT. The exit status: 0; 2 where rights are missing, 1 after any other error, and the
    log says which.
    """
    set_up_logs(options.log_level)
    disable_created_metrics()  # type: ignore[no-untyped-call] # a time a counter, which nobody asks for
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        await run(options, stop)
    except MissingPermissionsError as error:
        for line in str(error).splitlines():
            log.error("the operator may not %s", line)  # noqa: TRY400 - which rights, not where it was noticed
        return 2
    except Exception:
        log.critical("the operator ends by an error", exc_info=True)
        return 1
    return 0
