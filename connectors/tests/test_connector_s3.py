"""S3-compatible storage: the object asked for, with the keys the configuration points to."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from hub_connector.checking import Summary, check_source, find_contract
from hub_connector.errors import ConnectorError
from hub_connector.sources import open_source

if TYPE_CHECKING:
    from support.s3 import S3Server

CANARY = "canary-hunter2"
CSV = b"pupil,Family name,NHS number,born,sessions\np1,Name,943 476 5919,01/02/2015,7\n"
Put = Callable[..., None]


@pytest.fixture
def bucket(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> tuple[str, dict[str, Any], Put]:
    """An empty bucket: its name, how to reach it, and a way to put objects there."""
    import boto3

    from support.s3 import CREDENTIALS

    parts = urlsplit(s3_server.bucket())
    endpoint = f"http://{parse_qs(parts.query)['endpoint_override'][0]}"
    monkeypatch.setenv("S3_SECRET", CREDENTIALS["AWS_SECRET_ACCESS_KEY"])
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    name = parts.netloc
    options = {
        "endpoint": endpoint, "region": CREDENTIALS["AWS_REGION"], "access_key": CREDENTIALS["AWS_ACCESS_KEY_ID"],
        "secret_key": {"env": "S3_SECRET"},
    }  # fmt: skip

    def put(key: str, body: bytes = CSV) -> None:
        client = boto3.client(
            "s3", endpoint_url=endpoint, region_name=CREDENTIALS["AWS_REGION"],
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        )  # fmt: skip
        client.put_object(Bucket=name, Key=key, Body=body)
        client.close()

    return name, options, put


def refusal(location: str, options: dict[str, Any]) -> str:
    with pytest.raises(ConnectorError) as caught:
        open_source(location, options)
    assert CANARY not in str(caught.value)
    return str(caught.value)


def test_an_object_goes_all_the_way(department: Any, bucket: tuple[str, dict[str, Any], Put]) -> None:
    name, options, put = bucket
    put("exports/pupils 100%.csv")
    source = open_source(f"s3://{name}/exports/pupils%20100%25.csv", {**options, "delimiter": "comma"})
    summary = Summary()
    for _ in check_source(find_contract(str(department.contract)), source, summary):
        pass
    assert (summary.rows, summary.accepted) == (1, 1)
    assert (source.name, source.streamed) == ("pupils 100%.csv", False)


def test_the_object_meant_by_a_pattern(bucket: tuple[str, dict[str, Any], Put]) -> None:
    name, options, put = bucket
    for key in ("exports/a-2.csv", "exports/a-3.csv", "exports/sub/a-9.csv", "exports/a-1.csv"):
        put(key)
    assert open_source(f"s3://{name}/exports/a-*.csv", {**options, "pick": "last"}).name == "a-3.csv"
    assert "3 files match" in refusal(f"s3://{name}/exports/a-*.csv", {**options, "pick": "only"})
    assert "No file matches" in refusal(f"s3://{name}/exports/b-*.csv", options)


def test_mistakes_are_answered_with_what_to_do(
    bucket: tuple[str, dict[str, Any], Put], monkeypatch: pytest.MonkeyPatch
) -> None:
    name, options, put = bucket
    put("a.csv", CSV * 50)
    assert "There is no object" in refusal(f"s3://{name}/b.csv", options)
    assert "cannot be read" in refusal("s3://no-such-bucket-here/x*.csv", options)
    assert "names no object" in refusal(f"s3://{name}/", options)
    assert "more than 100 bytes" in refusal(f"s3://{name}/a.csv", {**options, "max_bytes": 100})
    assert "where the secret is kept" in refusal(f"s3://{name}/a.csv", {**options, "secret_key": CANARY})
    assert "go together" in refusal(f"s3://{name}/a.csv", {"access_key": "x"})
    assert "not encrypted" in refusal(
        f"s3://{name}/a.csv", {**options, "endpoint": "http://minio.example.org"}
    )
    assert "holds a password" in refusal(f"s3://key:{CANARY}@{name}/a.csv", options)
    assert "did you mean 'region'" in refusal(f"s3://{name}/a.csv", {**options, "regoin": "x"})
    monkeypatch.setenv("HUB_CONNECTOR_TRIES", "1")
    gone = refusal(f"s3://{name}/a.csv", {**options, "endpoint": "http://127.0.0.1:1", "timeout": 1})
    assert "does not answer" in gone
