"""Images, and what the stories on a cluster measured when they were last run."""

from cluster.images import BASE, build_all, builder, names_of, size_of
from e2e import figures

from . import page

PREFIX, TAG = "localhost/linplane", "e2e"
SERVER_ASKED, TRAINER_ASKED = "<= 150", "<= 435 in all"

IMAGES = """Written by `make bench-cluster`: unpacked, of which `python:3.13-slim` itself is {base:.0f} MB.

{table}"""

STORIES = """Written by `make bench-cluster`, from what `make e2e` saw on: {machine}. One node: control plane, kubelet,
containers and the load share its cores.

{table}"""


def measure() -> dict[str, str]:
    """The sections. Raises SystemExit if the stories have not run yet."""
    seen = figures.read()
    if not seen:
        raise SystemExit(f"there is no {figures.FILE}: run `make e2e` first")
    rows = [[figure, *values] for figure, values in seen.items()]
    stories = STORIES.format(machine=page.machine(), table=page.table(("figure", "measured", "required"), rows))
    return {"Images": _images(), "On a cluster": stories}


def _images() -> str:
    by = builder()
    built = names_of(PREFIX, TAG)
    build_all(by, built)
    base = size_of(by, BASE) / 1e6
    sizes = {name: size_of(by, image) / 1e6 for name, image in built.items()}
    asked = {"linplane-server": SERVER_ASKED, "linplane-trainer": TRAINER_ASKED}
    rows = [[name, f"{mb:.0f}", f"{mb - base:.0f}", asked.get(name, "")] for name, mb in sizes.items()]
    return IMAGES.format(base=base, table=page.table(("image", "MB", "MB on top of the base", "required"), rows))
