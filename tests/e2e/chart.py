"""The chart, and how it is installed with the images that were built for the tests."""

from pathlib import Path

CHART = Path(__file__).parents[2] / "helm" / "linplane"
RELEASE, SYSTEM = "linplane", "linplane-system"


def values(images: str) -> list[str]:
    """What every installation is told; `images` is their REGISTRY/PATH:TAG."""
    registry, _, tag = images.rpartition(":")
    return [f"--set=image.registry={registry}", f"--set=image.tag={tag}"]


def install(images: str, *more: str) -> list[str]:
    """`helm install`, as a user does it, until all is ready."""
    where = (f"--namespace={SYSTEM}", "--create-namespace", "--wait", "--timeout=4m")
    return ["helm", "install", RELEASE, str(CHART), *where, *values(images), *more]
