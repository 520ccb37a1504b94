"""The demonstration as a newcomer runs it: it tells its story, runs again, and leaves nothing readable."""

import base64
import csv
import gzip
import io
import os
import re
import sqlite3
import subprocess
import sys
import zlib
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hub.app import open_hub
from hub.catalogue import store as catalogue
from hub.config import load_settings
from hub.errors import HubError
from hub.insights.people import PersonQuery
from hub.intake import store as intake
from hub.isolation.memory import memory_stream
from hub.workflows import releasing, uploading, viewing
from hub.workflows.deciding import decide_next
from hub.workflows.work import drain
from hub_schemas import library
from support.canary import Processes, Search
from support.hubs import principal_of
from support.require import missing
from support.sealing import Sender

PEOPLE = 600
PROGRAM = [sys.executable, "-m", "hub"]


def _demo(folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("HUB_", "COV"))}
    beside = folder.with_name(f"{folder.name}-beside")
    beside.mkdir(exist_ok=True)
    environment |= {"TMPDIR": str(beside), "SQLITE_TMPDIR": str(beside)}
    return subprocess.run(
        [*PROGRAM, "demo", "--no-serve", "--people", str(PEOPLE), "--dir", str(folder), *more],
        capture_output=True, text=True, timeout=280, check=False, env=environment,
    )  # fmt: skip


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of a demonstration that was run over an earlier one, and what it printed."""
    if not (Path(sys.prefix).parent / ".venv-plugins" / "bin" / "python").exists():
        missing("there is no plugins' environment beside this one (make install builds it)")
    folder = tmp_path_factory.mktemp("demonstration") / "demo"
    earlier = _demo(folder, "--seed", "7")
    done = _demo(folder)
    for run in (earlier, done):
        assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
        assert "Traceback" not in run.stderr
        with folder.with_name("demo-beside").joinpath("printed.txt").open("a") as stream:
            stream.write(run.stdout + run.stderr)
    table = re.compile(r"What was published.*?together", re.DOTALL)
    assert table.findall(earlier.stdout) != table.findall(done.stdout), "another seed, another borough"
    return folder, done.stdout


def test_it_tells_the_whole_story(told: tuple[Path, str]) -> None:
    _, printed = told
    for title in (
        "What was published", "Refused rows and why", "Who was linked", "What ran, and what was found",
        "Where to look",
    ):  # fmt: skip
        assert title in printed
    assert "synthetic" in printed.splitlines()[0]
    assert re.search(r"families +succeeded", printed)
    assert re.search(r"workforce +succeeded", printed)
    assert "Neighbourhood North: response share 41% against 25% planned" in printed


def test_every_row_is_accounted_for(told: tuple[Path, str]) -> None:
    folder, printed = told
    for line in re.findall(r"^  (\S+\.\S+) +([\d,]+) +([\d,]+) +([\d,]+)  accepted$", printed, re.MULTILINE):
        dataset, sent, accepted, refused = line[0], *(int(text.replace(",", "")) for text in line[1:])
        path = folder.with_name(f"{folder.name}-departments") / Path(*dataset.split(".")).with_suffix(".csv")
        with path.open(newline="", encoding="utf-8") as stream:
            assert sent == sum(1 for _ in csv.DictReader(stream))
        assert accepted + refused == sent
    assert len(re.findall(r"  accepted$", printed, re.MULTILINE)) == 8


def test_the_log_it_leaves_verifies_and_holds_every_act(told: tuple[Path, str]) -> None:
    folder, _ = told
    done = subprocess.run(
        [*PROGRAM, "audit", "verify", "--dir", str(folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Everything holds" in done.stdout


def _personal_values(folder: Path) -> Iterator[str]:
    """Values of invented people that have no business in the clear: identifiers and uncommon surnames."""
    departments = folder.with_name(f"{folder.name}-departments")
    kinds = {"nhs_number": 30, "nino": 30, "upn": 30, "surname": 30, "case_id": 10, "tenancy_id": 10}
    for file in sorted(departments.glob("*/*.csv")):
        with file.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
        for kind, most in kinds.items():
            values = sorted({row[kind].strip() for row in rows if row.get(kind)})
            long_enough = [value for value in values if len(value) >= 9]
            yield from long_enough[:most]


def test_nothing_personal_lies_readable_in_the_hubs_folder(told: tuple[Path, str]) -> None:
    folder, _ = told
    wanted = sorted(set(_personal_values(folder)))
    assert len(wanted) > 60
    patterns = [value.encode(code) for value in wanted for code in ("utf-8", "utf-16-le", "utf-16-be")]
    read = 0
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        data = file.read_bytes()
        read += len(data)
        found = [pattern for pattern in patterns if pattern in data]
        assert not found, f"{file.relative_to(folder)} holds {len(found)} personal values in the clear"
    assert read > 500_000, "the test looked at a whole hub"


#: People who are planted into the borough, a family for each way in which rows come: nobody else has these values.
_PLANTED = {
    "uploaded": ("Zephyrine", "Oxbowthwaite", "999900000017", "17 Canarywharf Mews"),
    "at fault": ("Quilliam", "Vexlethorpe", "999900000025", "25 Canarywharf Mews"),
    "mended": ("Quillamina", "Mendlethorpe", "999900000033", "33 Canarywharf Mews"),
    "upserted": ("Brunhilde", "Jaxonquist", "999900000041", "41 Canarywharf Mews"),
    "changed": ("Brunhildina", "Jaxonquister", "999900000058", "58 Canarywharf Mews"),
    "refused": ("Ptolemaine", "Wyvernstoke", "999900000066", "66 Canarywharf Mews"),
}
_REASON = "visit to the Xylophonists, case 77"


def _tenant(kind: str, number: int, **other: str) -> dict[str, str]:
    forename, surname, uprn, address = _PLANTED[kind]
    return {
        "tenancy_id": f"CANARY-{number:06}", "person_number": "1", "forename": forename, "surname": surname,
        "date_of_birth": "1981-04-05", "uprn": uprn, "address": address, "postcode": "ZE1 0AA", "tenure": "council",
        "weekly_rent": "101.00", "arrears": "0.00", "notice_served": "false", "start_date": "2020-01-15",
    } | other  # fmt: skip


def _file(rows: list[dict[str, str]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


@pytest.fixture(scope="module")
def lived_on(told: tuple[Path, str]) -> Iterator[dict[str, Any]]:
    """The demonstration's hub after an upload, a replay, an upsert and a delete of planted people, and looks at them.

    Gives what was lawfully shown, what other processes were told, and how the deliveries ended. The hub is still open:
    its database has a write-ahead log.
    """
    folder, _ = told
    hub = open_hub(load_settings(folder, environ={}, two_person_registration=False))
    steward = principal_of(hub, "wexbourne-housing", "data steward", name="canary-steward")
    contract, ended, logs = library.load("housing.tenancies"), [], io.StringIO()
    with Processes() as processes, redirect_stderr(logs), redirect_stdout(logs):
        sender = Sender(hub, "wexbourne-housing", principal_of(hub, "hub", "operator"))
        with hub.database.read() as session:
            dataset = catalogue.find_dataset(session, steward.organisation_id, contract.id)
        assert dataset is not None

        def uploaded(rows: list[dict[str, str]], mends: str = "") -> str:
            with memory_stream() as stream:
                stream.write(_file(rows))
                file = uploading.File("tenants.csv", stream)
                begun = (
                    uploading.begin_mended(hub, steward, mends, file)
                    if mends else uploading.begin(hub, steward, dataset.id, file, "upsert")
                )  # fmt: skip
            uploading.send(hub, steward, begun.delivery.id)
            decide_next(hub)
            return begun.delivery.id

        neighbours = [_tenant("uploaded", number) for number in range(100, 130)]
        first = uploaded(
            [_tenant("uploaded", 1), _tenant("at fault", 2, date_of_birth="32/13/1981"), *neighbours]
        )
        second = uploaded([{"row": "2", **_tenant("mended", 2)}], mends=first)
        upsert = sender.send(
            sender.pack(contract, [_tenant("upserted", 3), _tenant("uploaded", 4)], mode="upsert")
        )
        decide_next(hub)
        again = sender.send(sender.pack(contract, [_tenant("changed", 3)], mode="upsert"))
        decide_next(hub)
        refused = sender.send(
            sender.pack(contract, [_tenant("refused", 9, date_of_birth="never")], mode="upsert")
        )
        decide_next(hub)
        removed = sender.send(sender.pack(contract, [_tenant("uploaded", 4)], mode="delete"))
        drain(hub)
        with hub.database.read() as session:
            ended = [
                str(intake.get(session, ident).state.value)
                for ident in (first, second, upsert.id, again.id, refused.id, removed.id)
            ]
        worker = principal_of(hub, "wexbourne-children", "service user", name="canary-worker")
        purpose = viewing.Purpose("troubled-families", _REASON)
        (person,) = viewing.search_people(hub, worker, purpose, PersonQuery(uprn=_PLANTED["changed"][2]))
        shown = [person.surname]
        for kind in ("uploaded", "refused"):
            with suppress(HubError):
                viewing.search_people(hub, worker, purpose, PersonQuery(nhs_number=_PLANTED[kind][2]))
        viewing.open_household(hub, worker, person.household_id, purpose)
        checker = principal_of(hub, "hub", "output checker", name="canary-checker")
        results = [
            str(releasing.read_table(hub, checker, item.result.id, name).to_pydict())
            for item in releasing.list_results(hub, checker)
            for name, terms in item.result.tables.items()
            if terms["disclosure"] != "person"
        ]
    yield {
        "ended": ended,
        "shown": shown,
        "results": results,
        "logs": logs.getvalue(),
        "processes": processes,
    }
    hub.database.close()


def test_planted_people_lie_nowhere_in_any_disguise(told: tuple[Path, str], lived_on: dict[str, Any]) -> None:
    """Looked through: hub folder, database with its write-ahead log and freelist, logs, temporary files, what other
    processes were told, released tables. As text in several encodings, and inside whatever can be decompressed."""
    folder, _ = told
    assert lived_on["ended"] == ["accepted", "accepted", "accepted", "accepted", "refused", "accepted"]
    assert lived_on["shown"] == [_PLANTED["changed"][1]], (
        "a household page lawfully shows what lies nowhere else"
    )
    assert list(folder.glob("*.db-wal")), "the write-ahead log is there to be looked through"
    values = {value for family in _PLANTED.values() for value in family}
    search = Search(values | {_REASON, "CANARY-000001", "CANARY-000003", "Xylophonists"})
    assert search.files_with(folder, folder.with_name("demo-beside")) == {}
    assert search.looked > 500_000
    processes = lived_on["processes"]
    assert any(b"hub.intake.reader" in program for program in processes.programs), (
        "the watch saw a process at work"
    )
    assert search.values_in(b"\n".join(processes.seen)) == set()
    assert search.values_in(lived_on["logs"].encode()) == set()
    assert lived_on["results"]
    assert search.values_in("".join(lived_on["results"]).encode()) == set()


def test_the_search_finds_what_is_hidden(tmp_path: Path) -> None:
    """The search would find a value in each disguise: without this, finding nothing would say nothing."""
    value, noise = "Oxbowthwaite", os.urandom(3000)
    text = b"xx" + value.encode() + b"yyy"
    table = pa.table({"surname": [value, None, value], "n": [1, 2, 3]})
    hidden = {
        "utf-8": text, "utf-16-le": value.encode("utf-16-le"), "utf-16-be": value.encode("utf-16-be"),
        "hex": text.hex().encode(), "gzip": gzip.compress(text), "zlib": zlib.compress(text, 1),
        "zlib of utf-16": zlib.compress(value.encode("utf-16-be")),
        "zstd": pa.compress(text * 3, "zstd", asbytes=True), "lz4": pa.compress(text * 3, "lz4", asbytes=True),
        **{f"base64 at {n}": base64.b64encode(b"\xff" * n + text) for n in range(3)},
    }  # fmt: skip
    for name, data in hidden.items():
        (tmp_path / name).write_bytes(noise + data + noise)
    for codec in ("snappy", "gzip", "zstd", "brotli", "lz4"):
        pq.write_table(table, tmp_path / f"pages {codec}", compression=codec)
    (tmp_path / value).write_bytes(b"its name")
    database = sqlite3.connect(tmp_path / "freelist")
    database.execute("pragma secure_delete=off")
    database.executescript(f"create table t (x); insert into t values ('{value}'); drop table t")
    database.close()
    (tmp_path / "nothing").write_bytes(noise)
    number = Search(["999900000017"])
    assert number.values_in(noise + (999900000017).to_bytes(8, "little")) == {"999900000017"}
    found = Search([value]).files_with(tmp_path)
    assert found.keys() == {path.name for path in tmp_path.iterdir()} - {"nothing"}


def test_it_never_touches_a_folder_that_is_not_its_own(tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("mine")
    done = _demo(tmp_path)
    assert done.returncode == 1
    assert "is not from a demonstration" in done.stderr
    assert (tmp_path / "precious.txt").read_text() == "mine"


def test_missing_real_data_is_said_before_anything_is_done(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    done = _demo(tmp_path / "demo", "--with-data", str(tmp_path / "data"))
    assert done.returncode == 1
    assert "2018-07-west-yorkshire-street.csv" in done.stderr
