"""Postcodes are given as small areas from a table that an operator loads, and nobody else can change."""

from pathlib import Path

import pyarrow as pa
import pytest

from hub.audit import log as audit_log
from hub.errors import Conflict, Forbidden, Invalid
from hub.policy.decide import Grant
from hub.policy.generalise import parse
from hub.vault.generalise import generalise
from hub.vault.store import Vault
from hub.workflows.geography import load_areas
from hub.workflows.hub import Hub
from support.hubs import principal_of

GRANT = Grant("x.y", frozenset({"home"}), "a", "", (parse("home", "area"),))
#: In the manner of the ONS Postcode Directory: more columns than are needed, blanks, pseudo codes, islands.
TABLE = """\
pcd7,pcds,dointr,lsoa11,lsoa21,ru21
LS1 4AP,LS1 4AP,198001,E01011663,E01033010,1
SW1A1AA,SW1A 1AA,198001,E01004736,E01004736,1
EH1 1YZ,EH1 1YZ,198001,S01008677,S01008678,1
BT1 5GS,BT1 5GS,198001,95GG40S1,N21000123,1
JE2 3AB,JE2 3AB,198001,L99999999,L99999999,9
CF101AA,CF10 1AA,198001,W99999999,,9
not one,not one,198001,E01000001,E01000001,1
"""


def _given(hub: Hub, *postcodes: str | None) -> list[str | None]:
    table = pa.table({"home": pa.array(postcodes, pa.string())})
    found: list[str | None] = generalise(table, GRANT, hub.vault.areas)["home"].to_pylist()
    return found


def test_a_postcode_is_given_as_its_area_and_one_that_is_not_known_as_nothing(
    sqlite_hub: Hub, tmp_path: Path
) -> None:
    (tmp_path / "places.csv").write_text(TABLE, encoding="utf-8")
    loaded = load_areas(sqlite_hub, principal_of(sqlite_hub, "hub", "operator"), tmp_path / "places.csv")
    assert (loaded.postcodes, loaded.left_out, loaded.columns) == (4, 3, ("pcds", "lsoa21"))
    assert _given(sqlite_hub, "LS1 4AP", "ls14ap", " sw1a 1aa ", "BT15GS") == [
        "E01033010", "E01033010", "E01004736", "N21000123",
    ]  # fmt: skip
    assert _given(sqlite_hub, "JE2 3AB", "CF10 1AA", "ZZ9 9ZZ", "E01033010", "", None) == [None] * 6
    with sqlite_hub.database.read() as session:
        entry = audit_log.recent(session, action="geography.loaded")[0]
    assert entry.content["detail"]["postcodes"] == 4


def test_without_a_table_nothing_is_given_and_the_message_says_what_to_do(sqlite_hub: Hub) -> None:
    with pytest.raises(Conflict, match="hub geography load"):
        _given(sqlite_hub, "LS1 4AP")
    assert sqlite_hub.vault.areas.count() is None


def test_a_newer_table_takes_over_in_every_process(sqlite_hub: Hub, tmp_path: Path) -> None:
    operator, file = principal_of(sqlite_hub, "hub", "operator"), tmp_path / "places.csv"
    file.write_text(TABLE, encoding="utf-8")
    load_areas(sqlite_hub, operator, file)
    other = Vault(sqlite_hub.keyring, sqlite_hub.objects)
    table = pa.table({"home": ["LS1 4AP"]})
    assert generalise(table, GRANT, other.areas)["home"].to_pylist() == ["E01033010"]
    load_areas(sqlite_hub, operator, file, area="lsoa11")
    assert generalise(table, GRANT, other.areas)["home"].to_pylist() == ["E01011663"]


def test_a_table_somebody_else_put_there_is_not_believed(sqlite_hub: Hub, tmp_path: Path) -> None:
    file = tmp_path / "places.csv"
    file.write_text(TABLE, encoding="utf-8")
    load_areas(sqlite_hub, principal_of(sqlite_hub, "hub", "operator"), file)
    raw = sqlite_hub.objects.get_bytes("geography/postcode-areas")
    assert b"LS14AP" not in raw
    for place in (0, 12, len(raw) // 2, len(raw) - 1):
        bent = bytearray(raw)
        bent[place] ^= 1
        sqlite_hub.objects.put_bytes("geography/postcode-areas", bytes(bent))
        with pytest.raises(Invalid, match="was changed"):
            Vault(sqlite_hub.keyring, sqlite_hub.objects).areas.of(pa.array(["LS14AP"]))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("postcode,area\nLS1 4AP,E01033010\nLS14AP,E01033011\n", "1 postcodes that they lie in two areas"),
        ("postcode,area\nLS1 4AP,LS1 4AP\n", "No row of the file"),
        ("home,area\nLS1 4AP,E01033010\n", "--postcode-column"),
        ("postcode,place\nLS1 4AP,E01033010\n", "--area-column"),
        ("", "cannot be read"),
    ],
)
def test_a_table_that_cannot_be_right_changes_nothing(
    sqlite_hub: Hub, tmp_path: Path, text: str, says: str
) -> None:
    operator, file = principal_of(sqlite_hub, "hub", "operator"), tmp_path / "places.csv"
    file.write_text(TABLE, encoding="utf-8")
    load_areas(sqlite_hub, operator, file)
    file.write_text(text, encoding="utf-8")
    with pytest.raises(Invalid, match=says):
        load_areas(sqlite_hub, operator, file)
    assert _given(sqlite_hub, "LS1 4AP") == ["E01033010"]


def test_only_an_operator_says_where_postcodes_lie(sqlite_hub: Hub, tmp_path: Path) -> None:
    file = tmp_path / "places.csv"
    file.write_text(TABLE, encoding="utf-8")
    with pytest.raises(Forbidden):
        load_areas(sqlite_hub, principal_of(sqlite_hub, "hub", "analyst"), file)
