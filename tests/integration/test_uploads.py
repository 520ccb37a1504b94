"""A plain file over the API becomes the delivery that a connector would have made of it, and nothing else."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from werkzeug.test import TestResponse

from hub.app import create_app
from hub.catalogue import store as catalogue
from hub.errors import Conflict, Forbidden, NotFound, Unauthorised, Unavailable
from hub.identity.own import HUBS_OWN, own_client_id
from hub.identity.principal import Principal
from hub.intake import store as intake
from hub.intake.states import DeliveryState
from hub.intake.store import Delivery
from hub.intake.verify import quarantine_binding
from hub.isolation.memory import memory_stream
from hub.policy.decide import whole_file
from hub.workflows import contracting, enrolling, mending, overview, parcelling, publish, uploading
from hub.workflows.hub import Hub
from hub.workflows.work import drain
from support.callers import Client, client_of
from support.hubs import make_hub, migrate, principal_of
from support.messy import AT_FAULT, CANARIES, CONTRACT, MESSY

COLUMNS = ["row_number", *(column.name for column in CONTRACT.columns)]
Post = Callable[..., TestResponse]
Files = Callable[[str, bytes], uploading.File]


def _publisher(hub: Hub, slug: str) -> Client:
    """A connector of an organisation that has published the contract."""
    client = client_of(hub, slug, "connector")
    who = principal_of(hub, slug, "connector", kind="client", name=client.id)
    contracting.put_dataset(hub, who, CONTRACT.id, CONTRACT.text)
    return client


def _poster(hub: Hub, client: Client) -> Post:
    api, headers = create_app(hub.settings, hub).test_client(), client.headers()

    def post(body: bytes, query: str = "mode=full", contract: str = CONTRACT.id, **more: str) -> TestResponse:
        kind = {"Content-Type": "text/csv"} | {name.replace("_", "-"): value for name, value in more.items()}
        return api.post(f"/api/v1/datasets/{contract}/uploads?{query}", data=body, headers=headers | kind)

    return post


@pytest.fixture
def post(sqlite_hub: Hub) -> Post:
    """Upload a file of the council's dataset."""
    return _poster(sqlite_hub, _publisher(sqlite_hub, "council"))


@pytest.fixture
def files() -> Iterator[Files]:
    """Make files as the pages hand them over."""
    with ExitStack() as stack:

        def file(name: str, data: bytes) -> uploading.File:
            stream = stack.enter_context(memory_stream())
            stream.write(data)
            return uploading.File(name, stream)

        yield file


def _delivery(hub: Hub, delivery_id: str) -> Delivery:
    with hub.database.read() as session:
        return intake.get(session, delivery_id)


def _decided(hub: Hub, answer: TestResponse) -> Delivery:
    assert answer.status_code == 202, answer.text
    drain(hub)
    return _delivery(hub, answer.json["id"])


def _rows(hub: Hub, delivery: Delivery) -> pa.Table:
    with hub.database.read() as session:
        version = catalogue.version(session, delivery.version_id or "")
        file = hub.vault.locate(session, version.object_key, version.binding)
    return hub.vault.read(file, COLUMNS, whole_file(CONTRACT.id, "a test"))


def _refused(hub: Hub, delivery: Delivery) -> pa.Table:
    with hub.database.read() as session:
        key = delivery.quarantine["refused"]["object"]
        file = hub.vault.locate(session, key, quarantine_binding(delivery.id, "refused"))
    return hub.vault.read(file, COLUMNS, whole_file(CONTRACT.id, "a test"))


# --- the same as a connector


def _by_connector(hub: Hub, folder: Path) -> Delivery:
    """What hub-connector does with the file, without a network."""
    from hub_connector.checking import Summary
    from hub_connector.keys import SigningKey
    from hub_connector.packing import Packer, source_digest
    from hub_connector.sources import open_source

    folder.mkdir()
    operator, key = principal_of(hub, "hub", "operator"), SigningKey.create(folder / "key.pem")
    enrolling.add_organisation(hub, operator, "connected", "connected")
    client, home = enrolling.enrol(
        hub, enrolling.invite_connector(hub, operator, "connected"), "theirs", key.public_jwk()
    )
    who = Principal("client", client, "theirs", home.id, home.slug, frozenset({"connector"}))
    contracting.put_dataset(hub, who, CONTRACT.id, CONTRACT.text)
    (folder / "export.csv").write_bytes(MESSY)
    source = open_source(str(folder / "export.csv"), {})
    sealing = {"id": hub.keyring.current_sealing, "public_key": hub.keyring.sealing_public_text}
    made = folder / uuid.uuid4().hex
    made.mkdir()
    packer = Packer(client, key, sealing, 1 << 20)
    package = packer.pack(
        CONTRACT, source, "full", made, source_digest(key, source, CONTRACT, "full"), Summary()
    )
    delivery, missing, _ = publish.offer(hub, who, package.manifest, package.signature)
    for role, part in missing:
        data = package.part(role, part)
        digest = base64.b64encode(hashlib.sha256(data).digest()).decode()
        publish.take_part(hub, who, delivery.id, role, part, data, f"sha-256=:{digest}:")
    publish.complete(hub, who, delivery.id)
    drain(hub)
    return _delivery(hub, delivery.id)


def _by_page(hub: Hub, files: Files) -> Delivery:
    """What the pages do with it."""
    _publisher(hub, "paged")
    steward = principal_of(hub, "paged", "data steward")
    with hub.database.read() as session:
        dataset = catalogue.find_dataset(session, steward.organisation_id, CONTRACT.id)
    assert dataset is not None
    begun = uploading.begin(hub, steward, dataset.id, files("export.csv", MESSY), "full")
    assert begun.findings is not None
    assert (begun.findings.accepted, begun.findings.refused) == (4, 6)
    uploading.send(hub, steward, begun.delivery.id)
    drain(hub)
    return _delivery(hub, begun.delivery.id)


def test_the_same_file_gives_the_same_whichever_way_it_comes(
    sqlite_hub: Hub, tmp_path: Path, post: Post, files: Files
) -> None:
    hub = sqlite_hub
    ways = [
        _by_connector(hub, tmp_path / "connector"),
        _decided(hub, post(MESSY, "mode=full&filename=export.csv")),
        _by_page(hub, files),
    ]
    auditor = principal_of(hub, "hub", "auditor")
    first = ways[0]
    assert first.state is DeliveryState.ACCEPTED, first.problem
    assert (first.sent, first.accepted, first.refused) == (10, 4, 6)
    rows, refused = _rows(hub, first), _refused(hub, first)
    assert rows["surname"].to_pylist()[:3] == ["Müller-Canaryfeather", "O'Brien", '=HYPERLINK("x")']
    assert refused["row_number"].to_pylist() == AT_FAULT
    for other in ways[1:]:
        assert (other.state, other.sent, other.accepted, other.refused) == (first.state, 10, 4, 6), (
            other.problem
        )
        assert other.effect == first.effect
        assert _rows(hub, other).equals(rows)
        assert _refused(hub, other).equals(refused)
        assert overview.faults(hub, auditor, other.id).equals(overview.faults(hub, auditor, first.id))
        assert (
            overview.delivery_page(hub, auditor, other.id).faults
            == overview.delivery_page(hub, auditor, first.id).faults
        )
        assert other.manifest["source"] == first.manifest["source"]


@pytest.mark.parametrize(
    "name", ["rows.json", "rows.jsonl", "rows.xlsx", "rows.parquet", "rows.csv.gz", "rows.zip"]
)
def test_other_formats_are_read_too(name: str, sqlite_hub: Hub, post: Post) -> None:
    delivery = _decided(
        sqlite_hub, post(_as(name), f"mode=full&filename={name}", Content_Type="application/octet-stream")
    )
    assert delivery.problem is None
    assert _rows(sqlite_hub, delivery)["surname"].to_pylist() == ["Ågren", "Smith"]


def _as(name: str) -> bytes:
    rows = [{"resident_id": "a", "Family name": "Ågren"}, {"resident_id": "b", "Family name": "Smith"}]
    text = "resident_id,Family name\na,Ågren\nb,Smith\n".encode()
    stream = io.BytesIO()
    if name.endswith(".json"):
        return json.dumps(rows).encode()
    if name.endswith(".jsonl"):
        return "\n".join(map(json.dumps, rows)).encode()
    if name.endswith(".gz"):
        return gzip.compress(text)
    if name.endswith(".zip"):
        import zipfile

        with zipfile.ZipFile(stream, "w") as archive:
            archive.writestr("inside.csv", text)
    elif name.endswith(".parquet"):
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist(rows), stream)
    else:
        from openpyxl import Workbook

        book = Workbook()
        for row in (list(rows[0]), *(list(row.values()) for row in rows)):
            book.active.append(row)
        book.save(stream)
    return stream.getvalue()


# --- replays


def test_only_the_rows_at_fault_come_again_and_every_value_survives_the_spreadsheet(
    sqlite_hub: Hub, post: Post
) -> None:
    hub = sqlite_hub
    rows = b"resident_id,Family name,rent,note\na,,1,=1+1\nb,,-7,'=x\nc,,?,@cmd\nd,Fine,1,\ne,,+5,\"''-q\"\n"
    delivery = _decided(hub, post(rows))
    assert (delivery.accepted, delivery.refused) == (1, 4)
    steward = principal_of(hub, "council", "data steward")
    text = mending.rows_at_fault(hub, steward, delivery.id)
    lines = text.removeprefix("\ufeff").splitlines()
    assert lines[0] == "row,resident_id,Family name,born,note,rent,faults"
    assert lines[1].startswith("1,a,,,'=1+1,1,surname")
    assert lines[2].startswith("2,b,,,''=x,-7,")
    assert lines[3].startswith("3,c,,,'@cmd,?,")
    assert lines[4].startswith("5,e,,,'''-q,'+5,")
    mended = text.replace(",a,,", ",a,A,").replace(",b,,", ",b,B,").replace(",e,,", ",e,E,")
    replay = _decided(hub, post(mended.encode(), f"replays={delivery.id}&filename=mended.csv"))
    assert (replay.mode, replay.accepted, replay.refused, replay.problem) == ("append", 3, 0, None)
    assert (_delivery(hub, delivery.id).refused, _delivery(hub, delivery.id).replayed) == (1, 3)
    held = {row["resident_id"]: (row["note"], row["rent"]) for row in _rows(hub, replay).to_pylist()}
    assert held == {"a": ("=1+1", 1), "b": ("'=x", -7), "d": (None, 1), "e": ("''-q", 5)}
    again = post(mended.encode(), f"replays={delivery.id}")
    assert again.status_code == 422
    assert "no row that is still open" in again.json["detail"] or "None of the 1 rows" in again.json["detail"]
    assert "3,c" in mending.rows_at_fault(hub, steward, delivery.id)
    assert "1,a" not in mending.rows_at_fault(hub, steward, delivery.id)


def test_keys_to_remove_are_mended_like_other_rows(sqlite_hub: Hub, post: Post) -> None:
    hub, steward = sqlite_hub, principal_of(sqlite_hub, "council", "data steward")
    _decided(hub, post(b"resident_id,Family name\na,A\nb,B\nc,C\n"))
    removal = _decided(hub, post(b"resident_id,note\na,x\n,y\n", "mode=delete"))
    assert (removal.accepted, removal.refused, removal.effect and removal.effect["removed"]) == (1, 1, 1)
    text = mending.rows_at_fault(hub, steward, removal.id)
    assert text.splitlines()[0] == "\ufeffrow,resident_id,faults"
    replay = _decided(hub, post(text.replace("2,,", "2,b,").encode(), f"replays={removal.id}"))
    assert (replay.mode, replay.accepted, replay.problem) == ("delete", 1, None)
    assert _rows(hub, replay)["resident_id"].to_pylist() == ["c"]


def test_what_was_checked_under_another_contract_is_not_sent(
    sqlite_hub: Hub, post: Post, files: Files
) -> None:
    hub, steward = sqlite_hub, principal_of(sqlite_hub, "council", "data steward")
    dataset = _decided(hub, post(MESSY)).dataset_id
    begun = uploading.begin(
        hub, steward, dataset, files("x.csv", b"resident_id,Family name\na,A\n"), "append"
    )
    who = principal_of(hub, "council", "connector", kind="client")
    contracting.put_dataset(hub, who, CONTRACT.id, CONTRACT.text.replace("version: 1.0.0", "version: 1.0.1"))
    with pytest.raises(Conflict, match="contract was changed"):
        uploading.send(hub, steward, begun.delivery.id)


def test_the_line_is_never_longer_than_leaves_room_for_others(
    sqlite_hub: Hub, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parcelling._turns, "_inside", sqlite_hub.settings.threads // 2)
    answer = post(MESSY)
    assert (answer.status_code, "reading other files" in answer.text) == (429, True)


def test_rows_at_fault_are_for_their_department_alone_and_reading_them_is_written_down(
    sqlite_hub: Hub, post: Post
) -> None:
    from hub.audit import log

    delivery = _decided(sqlite_hub, post(MESSY))
    for who, error in (
        (principal_of(sqlite_hub, "police", "data steward"), NotFound),
        (principal_of(sqlite_hub, "hub", "operator"), Forbidden),
        (principal_of(sqlite_hub, "council", "connector", kind="client"), Forbidden),
    ):
        with pytest.raises(error):
            mending.rows_at_fault(sqlite_hub, who, delivery.id)
    steward = principal_of(sqlite_hub, "council", "data steward")
    assert "Ågren" in mending.rows_at_fault(sqlite_hub, steward, delivery.id)
    with sqlite_hub.database.read() as session:
        (entry,) = log.recent(session, action="refused-rows.read")
    assert (entry.actor, entry.content["target"]) == (steward.reference, delivery.id)
    assert entry.content["detail"] == {"rows": 6}


# --- what cannot be taken


@pytest.mark.parametrize(
    ("body", "more", "status", "words"),
    [
        (b"", {}, 422, "The file is empty"),
        (b"\n\n\n", {}, 422, "no header"),
        (b"resident_id\nx\n", {}, 422, "lacks a column that tests.residents needs in every row"),
        (b"%PDF-1.7 and so on", {}, 422, "is a PDF"),
        (b"\x00\x01\x02\x03" * 50, {}, 422, ""),
        (MESSY, {"query": "mode=sideways"}, 422, "not valid"),
        (MESSY, {"query": ""}, 422, "Say what the file does"),
        (MESSY, {"query": "mode=full&replays=../x"}, 422, "not valid"),
        (MESSY, {"query": "mode=append&replays=" + "0" * 32}, 404, "There is no delivery"),
        (MESSY, {"query": "mode=delete"}, 409, "nothing to delete from"),
        (MESSY, {"contract": "tests.nothing"}, 404, "You have no dataset tests.nothing"),
        (MESSY, {"Content_Type": "application/x-www-form-urlencoded"}, 415, "--data-binary"),
        (MESSY, {"Content_Type": "multipart/form-data; boundary=x"}, 415, "--data-binary"),
        (MESSY, {"Content_Digest": "sha-256=:AAAA:"}, 422, "does not match its Content-Digest"),
        (MESSY, {"Content_Digest": "md5=:AAAA:"}, 422, "must be sha-256"),
        (b"x" * ((1 << 20) + 1), {}, 413, "may have up to 1 MiB; this one has 1.0. Use hub-connector push"),
        (b"x" * (3 << 20), {}, 413, "may have up to 1 MiB. Use hub-connector push"),
    ],
    ids=lambda value: None if isinstance(value, (bytes, dict)) else str(value)[:20],
)  # fmt: skip
def test_what_cannot_be_taken_is_refused_in_words_and_leaves_nothing(
    body: bytes, more: dict[str, str], status: int, words: str, sqlite_hub: Hub
) -> None:
    hub = replace(sqlite_hub, settings=replace(sqlite_hub.settings, upload_mb=1))
    answer = _poster(hub, _publisher(hub, "council"))(body, **more)
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json"), answer.text
    assert words in answer.text
    assert "--" not in answer.json["detail"].replace("--data-binary", ""), (
        "nobody here has the connector's command line"
    )
    assert overview.deliveries(hub, principal_of(hub, "council", "data steward")) == []
    assert hub.objects.list("incoming") == []


def test_a_digest_that_matches_is_no_obstacle(sqlite_hub: Hub, post: Post) -> None:
    digests = [f"{name}=:{base64.b64encode(hashlib.new(name.replace('-', ''), MESSY).digest()).decode()}:"
               for name in ("sha-256", "sha-512")]  # fmt: skip
    assert post(MESSY, Content_Digest=", ".join([*digests, "other=:AA==:"])).status_code == 202


def test_a_department_uploads_nothing_of_another_and_nothing_that_the_hub_makes(
    sqlite_hub: Hub, post: Post, files: Files
) -> None:
    hub, stranger = sqlite_hub, _poster(sqlite_hub, client_of(sqlite_hub, "police", "connector"))
    delivery = _decided(hub, post(MESSY))
    assert stranger(MESSY).status_code == 404
    _publisher(hub, "police")
    answer = stranger(MESSY, f"mode=append&replays={delivery.id}")
    assert (answer.status_code, "There is no delivery" in answer.text) == (404, True)
    steward = principal_of(hub, "police", "data steward")
    for act in (
        lambda: uploading.begin(hub, steward, delivery.dataset_id, files("x.csv", MESSY), "full"),
        lambda: uploading.begin_mended(hub, steward, delivery.id, files("x.csv", MESSY)),
        lambda: uploading.send(hub, steward, delivery.id),
        lambda: uploading.withdraw(hub, steward, delivery.id),
    ):
        with pytest.raises(NotFound):
            act()
    with hub.database.read() as session:
        dataset = catalogue.dataset(session, delivery.dataset_id)
    council = principal_of(hub, "council", "data steward")
    with pytest.raises(Forbidden, match="The hub makes"):
        parcelling.make_delivery(
            hub, council, replace(dataset, contract="hub.people"), files("x", MESSY), "full", None
        )


# --- twice


def test_the_same_file_again_is_recognised_and_counts_once(sqlite_hub: Hub, post: Post) -> None:
    hub = sqlite_hub
    first = post(MESSY)
    waiting = post(MESSY)
    assert (waiting.status_code, waiting.json["duplicate"], waiting.json["id"]) == (
        200,
        True,
        first.json["id"],
    )
    accepted = _decided(hub, first)
    known = post(MESSY, "mode=full&filename=renamed.csv")
    assert (known.status_code, known.json["id"], known.json["state"]) == (200, accepted.id, "accepted")
    assert post(MESSY, "mode=append").status_code == 202, "the same rows for another end are another delivery"
    drain(hub)
    changed = _decided(hub, post(MESSY.replace(b"r9", b"rX")))
    back = _decided(hub, post(MESSY))
    assert back.id not in (accepted.id, changed.id)
    assert back.state is DeliveryState.ACCEPTED


def test_two_at_once_make_one_delivery(hub: Hub) -> None:
    client = _publisher(hub, "council")
    posts, both, answers = [_poster(hub, client) for _ in range(2)], threading.Barrier(2), []
    made = hub.read_upload

    def together(*given: Any) -> Any:
        both.wait(10)
        return made(*given)

    object.__setattr__(hub, "read_upload", together)
    threads = [threading.Thread(target=lambda one=one: answers.append(one(MESSY))) for one in posts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status_code for answer in answers) == [200, 202], [answer.text for answer in answers]
    assert len({answer.json["id"] for answer in answers}) == 1
    drain(hub)
    assert _delivery(hub, answers[0].json["id"]).state is DeliveryState.ACCEPTED


def test_what_breaks_off_leaves_no_half_delivery_and_can_be_done_again(
    sqlite_hub: Hub, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = sqlite_hub

    def no_room(*_: Any, **__: Any) -> None:
        raise Unavailable("The disk is full.")

    with monkeypatch.context() as broken:
        broken.setattr(publish, "take_part", no_room)
        assert post(MESSY).status_code == 503
    drain(hub)
    (begun,) = (item for item, _ in overview.deliveries(hub, principal_of(hub, "council", "data steward")))
    assert begun.state is DeliveryState.UPLOADING
    monkeypatch.setattr(parcelling, "_ARRIVE_SECONDS", 0.0)
    assert post(MESSY).status_code == 409, "the other one may be at work still"
    monkeypatch.setattr(parcelling, "_UNDER_WAY_SECONDS", 0)
    assert _decided(hub, post(MESSY)).state is DeliveryState.ACCEPTED
    assert _delivery(hub, begun.id).state is DeliveryState.WITHDRAWN


# --- the hub's own client


def test_nobody_can_take_the_part_of_the_hubs_own_client(sqlite_hub: Hub, post: Post) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    hub = sqlite_hub
    _decided(hub, post(MESSY))
    council = principal_of(hub, "council", "data steward")
    own = own_client_id(council.organisation_id)
    found = {row[0]: row for row in enrolling.list_clients(hub, principal_of(hub, "hub", "operator"))}
    assert found[own][1:] == (parcelling.CLIENT_NAME, "council", HUBS_OWN, True)
    key = Ed25519PrivateKey.from_private_bytes(hub.vault.derived_key(f"uploads|{council.organisation_id}"))
    with pytest.raises(Unauthorised):
        enrolling.token_for(hub, Client(hub, own, key).assertion())  # not even with its key
    acting = Principal("client", own, "x", council.organisation_id, "council", frozenset({HUBS_OWN}))
    with pytest.raises(Forbidden):
        publish.offer(hub, acting, {}, "x")
    enrolling.revoke_client(hub, principal_of(hub, "hub", "operator"), own)
    assert post(MESSY.replace(b"r9", b"rX")).status_code == 403
    with hub.database.write() as session:
        from sqlalchemy import text

        session.execute(
            text("UPDATE clients SET active = 1, signing_key = '{}' WHERE id = :own"), {"own": own}
        )
    assert post(MESSY.replace(b"r9", b"rX")).status_code == 409, "its records were changed"
    other = principal_of(hub, "police", "data steward")
    assert hub.vault.derived_key(f"uploads|{other.organisation_id}") != key.private_bytes_raw()


# --- as in service: the process, the server, nothing in the clear


def test_the_process_reads_what_is_hostile_and_nothing_lies_in_the_clear(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    import httpx

    from hub.doorstep.serving import Server
    from support.logs import logged

    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    opened: list[str] = []
    for name in ("TemporaryFile", "NamedTemporaryFile", "SpooledTemporaryFile", "mkstemp"):
        made = getattr(tempfile, name)
        monkeypatch.setattr(tempfile, name, lambda *a, n=name, m=made, **k: (opened.append(n), m(*a, **k))[1])
    url = f"sqlite:///{tmp_path / 'only.db'}"
    migrate(url)
    hub = make_hub(tmp_path / "hub", url, intake_process=True, intake_memory_mb=900, upload_mb=3, port=0)
    client = _publisher(hub, "council")
    # Larger than what the server and the framework keep in memory of other requests.
    large = (
        MESSY
        + b"\r\n"
        + b"".join(b"x%d;Canaryfeather;05/06/1948;;;\r\n" % number for number in range(60_000))
    )
    monkeypatch.setattr(parcelling, "_PLENTY_MB", 0)
    bomb = gzip.compress(b"resident_id,Family name\n" + b"a,b\n" * 6_000_000, 1)
    with logged("debug") as written:
        server = Server(create_app(hub.settings, hub), hub.settings)
        server.start()
        try:
            with httpx.Client(base_url=server.url, headers=client.headers(), timeout=60) as http:
                path = f"/api/v1/datasets/{CONTRACT.id}/uploads?mode=full&filename=export.csv"
                kind = {"Content-Type": "text/csv"}
                answer = http.post(path, content=large, headers=kind)
                assert answer.status_code == 202, answer.text
                chunked = http.post(path, content=iter([b"resident_id,", b"note\n"]), headers=kind)
                assert (chunked.status_code, "lacks a column" in chunked.text) == (422, True)
                for body, status in (
                    (bomb, 413),
                    (b"x" * (5 << 20), 413),
                ):
                    refused = http.post(path, content=body, headers=kind)
                    assert (refused.status_code, refused.headers["content-type"]) == (
                        status,
                        "application/problem+json",
                    )
                    assert "hub-connector push" in refused.text or status == 422
        finally:
            server.stop()
        drain(hub)
    delivery = _delivery(hub, answer.json()["id"])
    assert (delivery.state, delivery.sent, delivery.refused) == (DeliveryState.ACCEPTED, 60_010, 6), (
        delivery.problem
    )
    hub.database.close()
    assert opened == []
    assert list(temporary.iterdir()) == []
    lying = [written.getvalue().encode(), capfd.readouterr().err.encode()]
    lying += [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    for canary in CANARIES:
        for encoding in ("utf-8", "cp1252"):
            assert not any(canary.encode(encoding) in text for text in lying), canary
