"""moto's S3 server in this process, with what tests put into it and see of it."""

import json
import logging
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import boto3
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

from linplane_api.task import S3Data

BUCKET = "rows"
ACCOUNT = {"region_name": "us-east-1", "aws_access_key_id": "root", "aws_secret_access_key": "root"}


@dataclass
class S3Server:
    """A running server. `requests`: method, path and whether it was signed, of each request so far."""

    url: str
    requests: list[tuple[str, str, bool]] = field(default_factory=list)

    def client(self, service: str = "s3") -> Any:
        """boto3's client of it."""
        return boto3.client(service, endpoint_url=self.url, **ACCOUNT)

    def put(self, files: dict[str, bytes], acl: str = "private") -> None:
        """Makes the bucket hold these objects and no others. `acl`: who may read them."""
        client = self.client()
        for found in client.list_objects_v2(Bucket=BUCKET).get("Contents", ()):
            client.delete_object(Bucket=BUCKET, Key=found["Key"])
        for key, content in files.items():
            client.put_object(Bucket=BUCKET, Key=key, Body=content, ACL=acl)
        client.put_bucket_acl(Bucket=BUCKET, ACL=acl)
        self.requests.clear()

    def data(self, path: str, **fields: Any) -> S3Data:
        """The data of a task, with the endpoint allowed."""
        given = {"region": "us-east-1", "endpoint": self.url, "allowed_hosts": ("127.0.0.1",)}
        return S3Data(fields.pop("bucket", BUCKET), path, **(given | fields))

    def make_user(self, name: str, *actions: str) -> dict[str, str]:
        """The credentials of a new user that may do these things with the bucket, as the keys of a Secret."""
        iam = self.client("iam")
        iam.create_user(UserName=name)
        if actions:
            resources = [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"]
            statement = {"Effect": "Allow", "Action": actions, "Resource": resources}
            policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
            iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=policy)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return {"accessKeyId": key["AccessKeyId"], "secretAccessKey": key["SecretAccessKey"]}

    @contextmanager
    def checking_rights(self) -> Iterator[None]:
        """Within, each request must be signed by a user that has the right."""
        self._set_free_actions("0")
        try:
            yield
        finally:
            self._set_free_actions("inf")

    def _set_free_actions(self, count: str) -> None:
        headers = {"Content-Type": "text/plain"}
        url = f"{self.url}/moto-api/reset-auth"
        request = urllib.request.Request(url, count.encode(), headers, method="POST")
        urllib.request.urlopen(request).close()


@contextmanager
def s3_server(address: str = "127.0.0.1") -> Iterator[S3Server]:
    """Runs the server, with an empty bucket, on a free port of an address of this machine."""
    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    backend = DomainDispatcherApplication(create_backend_app)

    def noted(environ: dict[str, Any], start: Any) -> Any:
        server.requests.append((environ["REQUEST_METHOD"], environ["PATH_INFO"], "HTTP_AUTHORIZATION" in environ))
        return backend(environ, start)

    with make_server(address, 0, noted, threaded=True) as http:
        server = S3Server(f"http://{address}:{http.server_port}")
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            server.client().create_bucket(Bucket=BUCKET)
            server.requests.clear()
            yield server
        finally:
            http.shutdown()
            thread.join()
