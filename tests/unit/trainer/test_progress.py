"""A bar for a person, silence for a log."""

import io

from linplane_trainer.progress import progress_bar


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_bar_is_not_shown_without_a_terminal():
    """Nothing is written, and nothing has to be called."""
    said = io.StringIO()
    with progress_bar("training", said) as progress:
        assert progress is None
    assert said.getvalue() == ""


def test_bar_on_a_terminal_shows_the_progress():
    """Percent of the bytes, and rows."""
    said = Terminal()
    with progress_bar("training", said) as progress:
        progress(10, 250, 1000)
        progress(20, 500, 1000)
        progress(40, 1000, 1000)
    assert "training" in said.getvalue()
    assert "50%" in said.getvalue()
    assert "100%" in said.getvalue()
    assert "40 rows" in said.getvalue()


def test_bar_for_a_source_of_unknown_size_shows_rows():
    """And never claims to be done."""
    said = Terminal()
    with progress_bar("training", said) as progress:
        progress(10, 250, None)
        progress(20, 5000, None)
    assert "20 rows" in said.getvalue()
    assert "100%" not in said.getvalue()
