"""S3-compatible storage for tests: a server in this process, on a free port of 127.0.0.1, in memory."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import boto3
from moto.server import ThreadedMotoServer

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",  # the server takes any
    "AWS_DEFAULT_REGION": "eu-west-2",
    "AWS_REGION": "eu-west-2",
    "AWS_EC2_METADATA_DISABLED": "true",
}


class S3Server:
    """A running server; `bucket()` makes an empty bucket."""

    def __init__(self, host: str, port: int) -> None:
        self._endpoint = f"{host}:{port}"
        self._made = 0

    def bucket(self) -> str:
        """Make a bucket and return the URI of a prefix in it, as the setting `objects` takes it.

        The environment has to hold CREDENTIALS for whoever opens it.
        """
        self._made += 1
        name = f"test-bucket-{self._made}"
        client = boto3.client(
            "s3",
            endpoint_url=f"http://{self._endpoint}",
            region_name=CREDENTIALS["AWS_REGION"],
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        )
        client.create_bucket(
            Bucket=name, CreateBucketConfiguration={"LocationConstraint": CREDENTIALS["AWS_REGION"]}
        )
        client.close()
        return f"s3://{name}/objects?scheme=http&endpoint_override={self._endpoint}"


@contextlib.contextmanager
def running_s3() -> Iterator[S3Server]:
    """A server for the time of a `with` block."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        yield S3Server(*server.get_host_and_port())
    finally:
        server.stop()
