"""Child processes."""

from pathlib import Path
from typing import Any

import pytest

from linplane_api.artifact import Artifact, with_checks
from linplane_api.kinds import CONFIG_MAP, LINEAR_MODEL, MODEL_SERVER
from linplane_api.routing import RouteDocument, ServedVersion, SplitKey, make_entry
from linplane_api.task import SyntheticData, Task
from linplane_operator.compile.objects import Object
from linplane_operator.local.admission import ignored_fields, validate_config_map
from linplane_operator.local.child_process import format_exit
from linplane_operator.local.console_events import curl_line
from linplane_operator.local.state_dir import StateDir
from linplane_operator.local.training_log import TrainingLog
from linplane_trainer.train import train
from unit.local.builders import body, config_map, make_store, model, route


def test_exit_codes_as_text() -> None:
    assert format_exit(3) == "exit code 3"
    assert format_exit(-9) == "signal 9 (Killed)"
    assert format_exit(None) == "no exit code"
