"""The OpenAPI document of the public API, with every status that a prediction can have."""

DOCUMENT: dict = {}
