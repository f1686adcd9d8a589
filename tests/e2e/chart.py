"""Installs the chart with the images that were built for the tests."""

from pathlib import Path

CHART = Path(__file__).parents[2] / "helm" / "linplane"
RELEASE, SYSTEM = "linplane", "linplane-system"


def values(images: str) -> list[str]:
    """The chart's values in every installation; `images` is their REGISTRY/PATH:TAG."""
    registry, _, tag = images.rpartition(":")
    return [f"--set=image.registry={registry}", f"--set=image.tag={tag}"]


def install(images: str, *more: str) -> list[str]:
    """Runs `helm install` as a user does, until everything is ready."""
    where = (f"--namespace={SYSTEM}", "--create-namespace", "--wait", "--timeout=4m")
    return ["helm", "install", RELEASE, str(CHART), *where, *values(images), *more]
