"""A small hub that really checks what a connector sends, and data to push."""

from __future__ import annotations

import base64
import csv
import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe
import pytest
from cryptography.hazmat.primitives.asymmetric import mlkem, x25519
from cryptography.hazmat.primitives.hpke import MLKEM768X25519PrivateKey
from joserfc import jwt
from joserfc.jwk import OKPKey

from hub_connector.__main__ import main
from hub_connector.sources import Batch, Reading
from hub_schemas import delivery as wire
from hub_schemas import load_contract

CONTRACT = """\
apiVersion: v3.1.0
kind: DataContract
id: test.pupils
name: Pupils
version: 1.0.0
status: active
domain: test
schema:
  - name: pupils
    properties:
      - {name: pupil, logicalType: string, primaryKey: true, classification: official}
      - name: surname
        physicalName: "Family name"
        logicalType: string
        required: true
        classification: personal
      - name: nhs
        physicalName: "NHS number"
        logicalType: string
        classification: special-category
        customProperties: [{property: identifier, value: nhs-number}]
      - name: born
        logicalType: date
        classification: personal
        customProperties: [{property: format, value: "%d/%m/%Y"}]
      - name: sessions
        logicalType: integer
        logicalTypeOptions: {minimum: 0, maximum: 200}
        classification: official
    customProperties:
      - {property: refusalThreshold, value: 0.5}
"""
HEADER = ("pupil", "Family name", "NHS number", "born", "sessions")


class _Opener(pe.KmsClient):
    """Unwraps data keys as a hub does."""

    def __init__(self, private: MLKEM768X25519PrivateKey, delivery: str, role: str) -> None:
        super().__init__()
        self.private, self.delivery, self.role = private, delivery, role

    def wrap_key(self, key_bytes: bytes, master_key_identifier: str) -> str:
        raise AssertionError("a hub does not seal")

    def unwrap_key(self, wrapped_key: str, master_key_identifier: str) -> bytes:
        info = wire.seal_info(self.delivery, self.role, master_key_identifier)
        return wire.sealing_suite().decrypt(base64.b64decode(wrapped_key), self.private, info=info)


@dataclass
class FakeHub:
    """What the hub holds, and what it shall do wrong. Everything it answers it has checked first."""

    folder: Path
    part_size: int = 2000
    codes: set[str] = field(default_factory=lambda: {"good-code"})
    verdict: str = "accepted"
    #: Whom a contract that is published waits for; nobody: it is in force at once.
    waits_for: tuple[str, ...] = ()
    #: Requests (counted over parts and completions) after which the connection is dropped, unanswered.
    cut_at: int | None = None
    cut_before_storing: bool = False
    #: Answers of 503 still to give.
    busy: int = 0

    def __post_init__(self) -> None:
        self.keys: dict[str, OKPKey] = {}
        self.deliveries: dict[str, dict[str, Any]] = {}
        self.parts: dict[tuple[str, str, int], bytes] = {}
        self.contracts: dict[str, str] = {}
        self.tables: dict[str, dict[str, pa.Table]] = {}
        #: Rows of each dataset as it stands, without row numbers; and the open rows of each delivery.
        self.datasets: dict[str, list[dict[str, Any]]] = {}
        self.open_rows: dict[str, set[int]] = {}
        self.versions = 0
        self.requests: list[str] = []
        self.used: set[str] = set()
        self.steps = 0
        self.url = ""
        self.new_sealing_key()

    def new_sealing_key(self) -> None:
        kem, dh = mlkem.MLKEM768PrivateKey.generate(), x25519.X25519PrivateKey.generate()
        self.private = MLKEM768X25519PrivateKey(kem, dh)
        public = wire.sealing_public_text(
            kem.public_key().public_bytes_raw(), dh.public_key().public_bytes_raw()
        )
        self.sealing_key = {"id": f"seal_{len(public)}", "suite": wire.SEALING_SUITE, "public_key": public}

    # --- what each request does: (status, body) or None to drop the connection

    def handle(self, method: str, path: str, headers: Any, body: bytes) -> tuple[int, Any] | None:
        self.requests.append(f"{method} {path}")
        if self.busy:
            self.busy -= 1
            return 503, {"title": "Busy"}
        if (method, path) == ("GET", "/api/v1/hub"):
            known = {"name": "Test hub", "version": "0", "sealing_key": self.sealing_key}
            return 200, {**known, "part_size": self.part_size}
        if (method, path) == ("POST", "/api/v1/enrolments"):
            return self.enrol(json.loads(body))
        if path == "/oauth/token":
            return self.token(parse_qs(body.decode()))
        client = headers.get("Authorization", "").removeprefix("Bearer token-")
        if client not in self.keys:
            return 401, {"title": "Unauthorised", "detail": "no token"}
        return self.signed_in(client, method, path, headers, body)

    def enrol(self, wish: dict[str, Any]) -> tuple[int, Any]:
        if wish["code"] not in self.codes:
            return 401, {
                "title": "Unauthorised",
                "detail": "This enrolment code is unknown, used or too old.",
            }
        self.codes.remove(wish["code"])
        assert "d" not in wish["signing_key"], "the private key was sent"
        key = OKPKey.import_key(wish["signing_key"])
        assert wish["signing_key"]["kid"] == key.thumbprint()
        client = f"cli_{len(self.keys)}"
        self.keys[client] = key
        home = {"id": "org_1", "slug": "schools", "name": "Wexbourne Schools"}
        address = f"{self.url}/oauth/token"
        return 201, {"client_id": client, "organisation": home, "token_url": address, "audience": address}

    def token(self, form: dict[str, list[str]]) -> tuple[int, Any]:
        assertion = form["client_assertion"][0]
        claims = json.loads(base64.urlsafe_b64decode(assertion.split(".")[1] + "=="))
        client = claims["sub"]
        decoded = jwt.decode(assertion, self.keys[client], algorithms=["Ed25519"]).claims
        assert decoded["iss"] == client
        assert decoded["aud"] == f"{self.url}/oauth/token"
        assert time.time() < decoded["exp"] <= time.time() + 300
        assert decoded["jti"] not in self.used
        self.used.add(decoded["jti"])
        return 200, {"access_token": f"token-{client}", "token_type": "Bearer", "expires_in": 300}

    def signed_in(
        self, client: str, method: str, path: str, headers: Any, body: bytes
    ) -> tuple[int, Any] | None:
        if method == "PUT" and (found := re.fullmatch(r"/api/v1/datasets/([\w.]+)", path)):
            self.contracts[found[1]] = json.loads(body)["contract"]
            held = {"id": "prp_1", "version": "2.0.0", "digest": "d", "waits_for": list(self.waits_for)}
            proposal = held if self.waits_for else None
            return 202 if proposal else 200, {"id": "ds_1", "name": found[1], "proposal": proposal}
        if (method, path) == ("POST", "/api/v1/deliveries"):
            return self.open(client, json.loads(body))
        if path.startswith("/api/v1/deliveries?") or (method, path) == ("GET", "/api/v1/deliveries"):
            return 200, {"items": [self.status(name) for name in reversed(self.deliveries)], "next": None}
        found = re.fullmatch(r"/api/v1/deliveries/([0-9a-f]+)(/.*)?", path)
        if not found or found[1] not in self.deliveries:
            return 404, {"title": "Not found", "detail": "There is no such delivery."}
        name, rest = found[1], found[2] or ""
        if method == "GET":
            return (200, self.status(name)) if not rest else (200, self.faults_csv(name))
        return self.step(name, rest, headers, body)

    def open(self, client: str, document: dict[str, Any]) -> tuple[int, Any]:
        manifest = document["manifest"]
        checked = wire.load_manifest(manifest)
        wire.verify_manifest(manifest, document["signature"], self.keys[client].public_key)
        assert manifest["client_id"] == client
        assert manifest["contract"]["digest"] == load_contract(self.contracts[manifest["dataset"]]).digest
        name = checked["delivery_id"]
        whole = [
            known
            for known, entry in self.deliveries.items()
            if entry["state"] == "accepted" and entry["manifest"]["dataset"] == manifest["dataset"]
        ]
        current = whole[-1] if whole else name
        same = (
            self.deliveries.get(current, {}).get("manifest", {}).get("source_digest")
            == checked["source_digest"]
        )
        if current != name and same:
            return 200, {"id": current, "state": "accepted", "missing": [], "duplicate": True}
        known = self.deliveries.setdefault(name, {"manifest": manifest, "state": "uploading"})
        if known["manifest"] != manifest:
            return 409, {"title": "Conflict", "detail": "This delivery id is taken."}
        return 201, {"id": name, "state": known["state"], "missing": self.missing(name)}

    def missing(self, name: str) -> list[dict[str, Any]]:
        return [
            {"role": file["role"], "part": part}
            for file in self.deliveries[name]["manifest"]["files"]
            for part in range(1, file["parts"] + 1)
            if (name, file["role"], part) not in self.parts
        ]

    def step(self, name: str, rest: str, headers: Any, body: bytes) -> tuple[int, Any] | None:
        self.steps += 1
        cut = self.cut_at is not None and self.steps > self.cut_at
        if cut and self.cut_before_storing:
            return None
        if rest == "/complete":
            if self.missing(name):
                return 409, {"title": "Conflict", "detail": "parts are missing"}
            self.deliveries[name]["state"] = self.decide(name)
            return None if cut else (202, {"state": "received"})
        found = re.fullmatch(r"/files/(\w+)/parts/(\d+)", rest)
        assert found
        assert 0 < len(body) <= self.part_size
        assert headers["Content-Digest"] == f"sha-256=:{base64.b64encode(sha256(body).digest()).decode()}:"
        self.parts[name, found[1], int(found[2])] = body
        return None if cut else (204, None)

    def decide(self, name: str) -> str:
        """Put the files together, open them with the private key and keep what is in them."""
        self.tables[name] = {}
        for file in self.deliveries[name]["manifest"]["files"]:
            role = file["role"]
            data = b"".join(self.parts[name, role, part] for part in range(1, file["parts"] + 1))
            assert (len(data), sha256(data).hexdigest()) == (file["size"], file["sha256"])
            self.tables[name][role] = self.open_file(name, role, data, file["key_material"])
            assert self.tables[name][role].num_rows == file["rows"]
        if self.verdict == "accepted":
            return self.accept(name)
        return self.verdict

    def accept(self, name: str) -> str:
        """Apply the rows to the dataset as the mode says, and note what that did."""
        delivery, tables = self.deliveries[name], self.tables[name]
        manifest = delivery["manifest"]
        numbers = set(tables["rows"]["row_number"].to_pylist())
        original = manifest.get("replays")
        if original and not numbers <= self.open_rows[original]:
            delivery["problem"] = "some of these rows are not open"
            return "refused"
        key = load_contract(self.contracts[manifest["dataset"]]).primary_key
        before = self.datasets.get(manifest["dataset"], [])
        rows = [
            {column: value for column, value in row.items() if column != "row_number"}
            for row in tables["rows"].to_pylist()
        ]

        def key_of(row: dict[str, Any]) -> tuple[Any, ...]:
            return tuple(row[column] for column in key)

        known, given = {key_of(row) for row in before}, {key_of(row) for row in rows}
        mode = manifest["mode"]
        effect = {"before": len(before), "added": len(rows), "replaced": 0, "removed": 0, "unmatched": 0}
        after = [*before, *rows]
        if mode == "full":
            effect["removed"], after = len(before), rows
        elif mode == "upsert":
            effect["added"], effect["replaced"] = len(given - known), len(given & known)
            after = [*(row for row in before if key_of(row) not in given), *rows]
        elif mode == "delete":
            effect |= {"added": 0, "removed": len(given & known), "unmatched": len(given - known)}
            after = [row for row in before if key_of(row) not in given]
        self.datasets[manifest["dataset"]] = after
        self.versions += 1
        delivery |= {"effect": effect | {"after": len(after)}, "version": self.versions}
        self.open_rows[name] = (
            set(tables["refused"]["row_number"].to_pylist()) if "refused" in tables else set()
        )
        if original:
            self.open_rows[original] -= numbers
        return "accepted"

    def decide_now(self, verdict: str = "accepted") -> None:
        """Decide what was left undecided."""
        self.verdict = "accepted"
        for name, delivery in self.deliveries.items():
            if delivery["state"] == "received":
                delivery["state"] = self.accept(name) if verdict == "accepted" else verdict

    def open_file(self, name: str, role: str, data: bytes, material: dict[str, str]) -> pa.Table:
        path = self.folder / f"{name}-{role}.parquet"
        path.write_bytes(data)
        path.with_name(f"_KEY_MATERIAL_FOR_{path.name}.json").write_text(json.dumps(material))
        factory = pe.CryptoFactory(lambda _config: _Opener(self.private, name, role))
        keys = factory.file_decryption_properties(
            pe.KmsConnectionConfig(), pe.DecryptionConfiguration(), str(path)
        )
        return pq.read_table(path, decryption_properties=keys)

    def status(self, name: str) -> dict[str, Any]:
        delivery = self.deliveries[name]
        manifest = delivery["manifest"]
        accepted = delivery["state"] == "accepted"
        still, sent = self.open_rows.get(name, set()), manifest["rows"]["sent"]
        rows = {"sent": sent, "accepted": 0, "refused": sent, "replayed": 0}
        if delivery["state"] in ("uploading", "received"):
            rows = {**manifest["rows"], "replayed": 0}
        if accepted:
            replayed = manifest["rows"]["refused"] - len(still)
            rows |= {"accepted": manifest["rows"]["accepted"], "refused": len(still), "replayed": replayed}
        return {
            "id": name, "state": delivery["state"], "dataset": manifest["dataset"], "mode": manifest["mode"],
            "replays": manifest.get("replays"), "created_at": manifest["created_at"], "rows": rows,
            "version": {"id": "ver_1", "number": delivery["version"]} if accepted else None,
            "effect": delivery.get("effect"),
            "problem": None if accepted else delivery.get("problem", "too many rows at fault"),
            "faults_by_rule": [{"rule": "required", "column": "surname", "count": 1}],
            "replays_of_this": [
                other for other, entry in self.deliveries.items() if entry["manifest"].get("replays") == name
            ],
        }  # fmt: skip

    def faults_csv(self, name: str) -> str:
        table = self.tables[name].get("faults")
        lines = ["row,column,value_shown,rule,message"]
        still = self.open_rows.get(name)
        for fault in table.to_pylist() if table is not None else []:
            if still is not None and fault["row"] not in still:
                continue
            lines.append(",".join(f'"{value if value is not None else ""}"' for value in fault.values()))
        return "\n".join(lines) + "\n"

    def only(self) -> dict[str, pa.Table]:
        """The tables of the one delivery there is."""
        assert len(self.tables) == 1
        return next(iter(self.tables.values()))


def _handler(hub: FakeHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            try:
                found = hub.handle(self.command, self.path, self.headers, body)
            except AssertionError as error:
                found = 400, {"title": "Bad request", "detail": f"the fake hub objects: {error!r}"}
            if found is None:
                self.close_connection = True
                return
            status, value = found
            data = (
                value.encode()
                if isinstance(value, str)
                else b""
                if value is None
                else json.dumps(value).encode()
            )
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = answer

        def log_message(self, *_: object) -> None:
            return

    return Handler


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[FakeHub]:
    """A hub on 127.0.0.1."""
    folder = tmp_path / "hub"
    folder.mkdir()
    hub = FakeHub(folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub))
    server.daemon_threads = False
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield hub
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass
class Department:
    """A folder on a department's computer, and the command in it."""

    home: Path
    run: Callable[..., tuple[int, str, str]]

    def write(self, rows: list[tuple[str, ...]], name: str = "pupils.csv", **dialect: Any) -> Path:
        """A CSV file with the usual header."""
        path = self.home / name
        with path.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream, lineterminator="\n", **dialect)
            writer.writerows([HEADER, *rows])
        return path

    @property
    def contract(self) -> Path:
        path = self.home / "pupils.yaml"
        if not path.exists():
            path.write_text(CONTRACT)
        return path

    def files(self) -> list[Path]:
        """Everything there is in the folder."""
        return [path for path in self.home.rglob("*") if path.is_file()]


@pytest.fixture
def department(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Department:
    """A department that has not registered yet; the network gets one try, so that cuts show at once."""
    home = tmp_path / "department"
    home.mkdir()
    monkeypatch.chdir(home)
    monkeypatch.setenv("HUB_CONNECTOR_TRIES", "1")
    for name in ("CONFIG", "CODE", "KEY_PASSPHRASE", "DEBUG"):
        monkeypatch.delenv(f"HUB_CONNECTOR_{name}", raising=False)

    def run(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        status = main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return status, said.out, said.err

    return Department(home, run)


@pytest.fixture
def registered(department: Department, hub: FakeHub) -> Department:
    """A department whose connector is registered with the hub."""
    status, _, said = department.run(
        "init", "--hub", hub.url, "--code", "good-code", "--name", "night export"
    )
    assert status == 0, said
    return department


class Growing:
    """A table elsewhere that grows: rows of text with a running number, read from where a mark says."""

    name, streamed, watermark = "pupils table", True, "changed"

    def __init__(
        self, rows: list[tuple[str, ...]], address: str = "db://here", mark: str | None = None
    ) -> None:
        self.rows, self.address, self.mark = rows, address, mark
        self.read_up_to: str | None = None
        #: Called with the number of each batch, to fail or to be killed at.
        self.at: Callable[[int], None] = lambda number: None

    def after(self, mark: str | None) -> Growing:
        beyond = Growing(self.rows, self.address, mark)
        beyond.at = self.at
        return beyond

    def high_water(self) -> str | None:
        return self.read_up_to

    def fingerprint(self, update: Callable[[bytes], None]) -> None:
        update(self.address.encode())

    def read(self, recognise: Any = None) -> Reading:
        return Reading((*HEADER, "changed"), ("a table", "read in order"), self.batches())

    def batches(self) -> Iterator[Batch]:
        chosen = [row for row in self.rows if self.mark is None or int(row[-1]) > int(self.mark)]
        for start in range(0, len(chosen), 7):
            self.at(start // 7)
            part = chosen[start : start + 7]
            self.read_up_to = str(max(int(row[-1]) for row in part))
            columns = [
                pa.array([row[index] for row in part], pa.string()) for index in range(len(HEADER) + 1)
            ]
            yield Batch(pa.table(columns, names=[*HEADER, "changed"]), start + 1)


@pytest.fixture
def growing(monkeypatch: pytest.MonkeyPatch, pupils: list[tuple[str, ...]]) -> Growing:
    """A growing table with 60 rows at the address db://pupils, and files wherever else."""
    import hub_connector.sources

    source = Growing([(*row, str(number)) for number, row in enumerate(pupils, 1)])
    original = hub_connector.sources.open_source
    monkeypatch.setattr(
        hub_connector.sources,
        "open_source",
        lambda place, options=None: source if place == "db://pupils" else original(place, options),
    )
    return source


@pytest.fixture
def pupils() -> list[tuple[str, ...]]:
    """Rows that keep the contract, enough of them for several parts."""
    return [
        (f"p{number:04d}", f"Familie{number}", "943 476 5919", "01/02/2015", str(number % 200))
        for number in range(60)
    ]


@pytest.fixture(scope="session")
def shared_data(pytestconfig: pytest.Config) -> Path:
    """The folder of test data that nobody here wrote."""
    folder = Path(os.environ.get("HUB_TEST_DATA") or pytestconfig.rootpath.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no test data at {folder} (set HUB_TEST_DATA)")
    return folder
