"""The way from nothing to a prediction in docs/try-it.md: `make up`, and the other commands in its shell."""

import itertools
import os
import re
import subprocess

import pytest

from e2e.conftest import ROOT
from pages import blocks, is_as_said

DONE = "-- done: "
OF_THESE_TESTS = ("KUBECONFIG", *(f"LINPLANE_E2E_{word}" for word in ("CONTEXT", "IMAGES", "NODE")))


@pytest.mark.timeout(1000)
def test_try_it_page_leads_to_a_prediction_in_five_commands() -> None:
    """At most five commands, each typed once the one before it has ended."""
    block = next(block for block in blocks(ROOT / "docs" / "try-it.md") if block[0][0] == "make up")
    assert len(block) <= 5
    (up, _), *typed = block
    script = "".join(f"{command}\necho '{DONE}'$?\n" for command, _ in typed)
    environment = {name: value for name, value in os.environ.items() if name not in OF_THESE_TESTS}
    done = subprocess.run(
        up.split(), cwd=ROOT, env=environment, input=script, capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    before, *printed = re.split(r"^.*leaving it takes all of it away\n", done.stdout, flags=re.MULTILINE)
    assert len(printed) == 1, done.stdout
    parts = re.split(rf"{DONE}(\d+)\n", printed[0])
    for (command, expected), said, code in itertools.zip_longest(typed, parts[::2][:-1], parts[1::2]):
        assert code == "0", f"$ {command}\n{said}\n{done.stderr}"
        assert is_as_said(expected, said), f"$ {command}\n{said}"
    assert "everything is taken away" in parts[-1], before
