"""Actions of the app that may fail: each failure is reported once, and the action is retried."""

from collections.abc import Callable, Iterable

from .console_events import Line, Notify


class Attempts:
    """Runs named actions; `due` names those that have to run at the next opportunity."""

    def __init__(self, notify: Notify, due: Iterable[str] = ()) -> None:
        """`notify` is called for each new failure, and when it is over."""
        self._notify = notify
        self.due = set(due)
        self.failing: dict[str, str] = {}
        """The messages of actions whose last attempt failed, by name."""

    def run_due(self, name: str, action: Callable[[], None]) -> None:
        """Runs an action that is due; it stays due if it fails."""
        if name in self.due:
            self.due.discard(name)
            self.run(name, action)
            if name in self.failing:
                self.due.add(name)

    def run(self, name: str, action: Callable[[], bool | None]) -> bool:
        """The result of the action, False if it failed."""
        try:
            result = action()
        except Exception as error:  # any failure: the app goes on
            text = f"{name}: {format_error(error)}; retrying"
            if self.failing.get(name) != text:
                self._notify(Line("warning", text, "warning"))
            self.failing[name] = text
            return False
        if self.failing.pop(name, None):
            self._notify(Line("recovered", name, "good"))
        return bool(result)


def format_error(error: Exception) -> str:
    """An error as one line."""
    if isinstance(error, OSError):
        return f"{error.filename or 'disk'}: {error.strerror or error}"
    return f"{type(error).__name__}: {error}"
