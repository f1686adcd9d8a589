"""Kinds for tests: the project's own, those that it creates, and those of a cluster."""

from linplane_api.kinds import BY_KIND, Kind

_ADMISSION = "admissionregistration.k8s.io/v1"
_RBAC = "rbac.authorization.k8s.io/v1"

NAMESPACE = Kind("Namespace", "namespaces", "v1", "ns")
NODE = Kind("Node", "nodes", "v1", "no")
EVENT = Kind("Event", "events", "v1", "ev")
ENDPOINT_SLICE = Kind("EndpointSlice", "endpointslices", "discovery.k8s.io/v1", "")
REPLICA_SET = Kind("ReplicaSet", "replicasets", "apps/v1", "rs")
CLAIM = Kind("PersistentVolumeClaim", "persistentvolumeclaims", "v1", "pvc")
SECRET = Kind("Secret", "secrets", "v1", "")
QUOTA = Kind("ResourceQuota", "resourcequotas", "v1", "quota")
LEASE = Kind("Lease", "leases", "coordination.k8s.io/v1", "")
NETWORK_POLICY = Kind("NetworkPolicy", "networkpolicies", "networking.k8s.io/v1", "netpol")
CLUSTER_ROLE = Kind("ClusterRole", "clusterroles", _RBAC, "")
CLUSTER_ROLE_BINDING = Kind("ClusterRoleBinding", "clusterrolebindings", _RBAC, "")
CRD = Kind("CustomResourceDefinition", "customresourcedefinitions", "apiextensions.k8s.io/v1", "crd")
POLICY = Kind("ValidatingAdmissionPolicy", "validatingadmissionpolicies", _ADMISSION, "")
POLICY_BINDING = Kind("ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings", _ADMISSION, "")
SELF_REVIEW = Kind("SelfSubjectReview", "selfsubjectreviews", "authentication.k8s.io/v1", "")
ACCESS_REVIEW = Kind("SubjectAccessReview", "subjectaccessreviews", "authorization.k8s.io/v1", "")

_CLUSTER = (
    *(NAMESPACE, NODE, EVENT, ENDPOINT_SLICE, REPLICA_SET, CLAIM, SECRET, QUOTA, LEASE, CLUSTER_ROLE),
    *(CLUSTER_ROLE_BINDING, CRD, POLICY, POLICY_BINDING, SELF_REVIEW, ACCESS_REVIEW, NETWORK_POLICY),
)

KINDS = {**BY_KIND, **{(kind.api_version, kind.kind): kind for kind in _CLUSTER}}
