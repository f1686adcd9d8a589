"""Every name that two programs must agree on: the API group, labels, ports, keys, and names of children."""

import hashlib

GROUP = "linplane.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
FIELD_MANAGER = "linplane"
APP = "linplane"
"""The value of LABEL_NAME and of LABEL_MANAGED_BY."""

PUBLIC_PORT = 8080
ADMIN_PORT = 8081
GRPC_PORT = 9000
SERVICE_PORT = 80

SERVER_CONTAINER = "server"
"""The container that serves; a server's pod may have others, which may start later."""
TRAINER_CONTAINER = "trainer"

DEFAULT_SERVER = "default"

LABEL_NAME = "app.kubernetes.io/name"
LABEL_INSTANCE = "app.kubernetes.io/instance"
LABEL_COMPONENT = "app.kubernetes.io/component"
LABEL_MANAGED_BY = "app.kubernetes.io/managed-by"
LABEL_MODEL = f"{GROUP}/model"
LABEL_VERSION = f"{GROUP}/version"
LABEL_SERVER = f"{GROUP}/server"
LABEL_ROUTE = f"{GROUP}/route"
LABEL_RECIPE = f"{GROUP}/recipe"
LABEL_JOB = "batch.kubernetes.io/job-name"  # Kubernetes' own, on the pods of a Job
ANNOTATION_APPLIED = f"{GROUP}/applied"
ANNOTATION_JOB_SETTINGS = f"{GROUP}/job-settings"
ANNOTATION_MANIFEST = f"{GROUP}/manifest"

ROUTE_KEY_PREFIX = "route."
SEQUENCE_KEY = "sequence"
ARTIFACT_KEY = "model.json"
ERROR_KEY = "error.json"

MAX_CONFIGMAP_BYTES = 1 << 20
MAX_FEATURES = 4096
MAX_FEATURE_NAME = 253

PROBLEM_TYPE_PREFIX = "urn:linplane:problem:"
"""Begins the type of every problem (RFC 9457); the kind follows."""

# response headers of a prediction
HEADER_VERSION = "x-linplane-version"
HEADER_DIGEST = "x-linplane-digest"
HEADER_REVISION = "x-linplane-revision"
HEADER_REQUEST_ID = "x-request-id"


def model_object_name(model: str, version: str) -> str:
    """The name that a LinearModel must have."""
    return f"{model}-{version}"


def child_name(owner: str, distinguishing: str) -> str:
    """`linplane-OWNER-HASH`, at most 57 characters: a Job's pods add six and stay a DNS label.

    `distinguishing` is hashed (ten hexadecimal digits); a long owner's name is cut.
    """
    suffix = hashlib.sha256(distinguishing.encode()).hexdigest()[:10]
    return f"linplane-{owner[:37].rstrip('-.')}-{suffix}"


def server_name(server: str) -> str:
    """The Deployment, ServiceAccount, Role and PodDisruptionBudget of a ModelServer."""
    return f"linplane-server-{server}"


def routing_name(server: str) -> str:
    """The routing ConfigMap of a ModelServer."""
    return f"linplane-routing-{server}"


def route_key(route: str) -> str:
    """The key of a route's document in the routing ConfigMap."""
    return ROUTE_KEY_PREFIX + route
