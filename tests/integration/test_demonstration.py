"""The demonstration as a newcomer runs it: it tells its story, runs again, and leaves nothing readable."""

import csv
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.require import missing

PEOPLE = 600
PROGRAM = [sys.executable, "-m", "hub"]


def _demo(folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("HUB_", "COV"))}
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
    patterns = [value.encode(code) for value in wanted for code in ("utf-8", "utf-16-le")]
    read = 0
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        data = file.read_bytes()
        read += len(data)
        found = [pattern for pattern in patterns if pattern in data]
        assert not found, f"{file.relative_to(folder)} holds {len(found)} personal values in the clear"
    assert read > 500_000, "the test looked at a whole hub"


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
