"""The audit log over the API and the command line: checkpoints, proofs, the export, and verifying it with no hub."""

import base64
import gzip
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from flask.testing import FlaskClient

from hub.__main__ import main
from hub.app import create_app
from hub.audit.checkpoint import read_verifier_key, verify
from hub.audit.proofs import verify_consistency, verify_inclusion
from hub.workflows import auditing
from support.staged import Staged

Headers = Callable[..., dict[str, str]]


# ---- the API


def _get(api: FlaskClient, path: str, headers: dict[str, str] | None = None, status: int = 200) -> Any:
    answer = api.get(f"/api/v1/audit/{path}", headers=headers)
    assert answer.status_code == status, answer.get_data(as_text=True)
    return answer


def _hashes(texts: list[str]) -> list[bytes]:
    return [base64.b64decode(text) for text in texts]


def test_an_auditors_program_needs_nothing_but_a_key_it_knows(
    api: FlaskClient, staged: Staged, as_role: Headers
) -> None:
    """The whole walk: keys, checkpoint, an entry, that it is in the log, and that the log only grew."""
    auditor = as_role("auditor")
    auditing.seal_log(staged.hub)
    answer = _get(api, "checkpoint", auditor)
    assert answer.content_type == "text/plain; charset=utf-8"
    origin, key = read_verifier_key(_get(api, "keys", auditor).text.splitlines()[-1])
    early = verify(answer.text, origin, key)
    entry = _get(api, "entries?limit=1", auditor).get_json()["items"][0]
    auditing.seal_log(staged.hub)
    late = verify(_get(api, "checkpoint", auditor).text, origin, key)
    proof = _get(api, f"proofs/inclusion?entry={entry['id']}", auditor).get_json()
    assert (proof["size"], base64.b64decode(proof["root"])) == (late.size, late.root)
    assert json.loads(proof["entry"]) == entry["content"]
    verify_inclusion(
        base64.b64decode(proof["leaf_hash"]), proof["leaf_index"], late.size, _hashes(proof["hashes"]), late.root
    )  # fmt: skip
    grown = _get(api, f"proofs/consistency?first={early.size}&second={late.size}", auditor).get_json()
    verify_consistency(early.size, late.size, _hashes(grown["hashes"]), early.root, late.root)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("proofs/inclusion", 422),
        ("proofs/inclusion?entry=1&leaf_index=0", 422),
        ("proofs/inclusion?entry=-1", 422),
        ("proofs/inclusion?entry=99999999999999999999", 422),
        ("proofs/inclusion?entry=4611686018427387904", 404),
        ("proofs/inclusion?leaf_index=0&size=0", 422),
        ("proofs/inclusion?leaf_index=0&size=4611686018427387904", 422),
        ("proofs/inclusion?leaf_index=x", 422),
        ("proofs/inclusion?leaf_index=0&who=me", 422),
        ("proofs/consistency", 422),
        ("proofs/consistency?first=2&second=1", 422),
        ("proofs/consistency?first=1&second=4611686018427387904", 422),
    ],
)
def test_what_makes_no_sense_is_refused(
    api: FlaskClient, staged: Staged, as_role: Headers, path: str, status: int
) -> None:
    auditing.seal_log(staged.hub)
    assert _get(api, path, as_role("auditor"), status).content_type == "application/problem+json"


def test_strangers_see_the_tree_only_where_the_hub_is_set_so_and_never_an_entry(
    api: FlaskClient, staged: Staged
) -> None:
    auditing.seal_log(staged.hub)
    open_paths = ("checkpoint", "keys", "proofs/consistency?first=1")
    for path in open_paths:
        _get(api, path, None, 401)
    hub = replace(staged.hub, settings=replace(staged.hub.settings, audit_public=True))
    public = create_app(hub.settings, hub).test_client()
    for path in open_paths:
        _get(public, path)
    for path in ("entries", "proofs/inclusion?leaf_index=0", "export"):
        _get(public, path, None, 401)


def test_the_export_comes_over_the_api_too(
    api: FlaskClient, staged: Staged, as_role: Headers, tmp_path: Path
) -> None:
    answer = _get(api, "export", as_role("auditor"))
    assert answer.headers["Content-Disposition"] == 'attachment; filename="audit-log.jsonl"'
    (tmp_path / "log.jsonl").write_bytes(answer.data)
    key = auditing.verifier_keys(staged.hub, _auditor(staged))[-1]
    result = _run("audit", "verify", "--export", str(tmp_path / "log.jsonl"), "--key", key)
    assert result.exit_code == 0 and "Everything holds" in result.stdout, result.output


def _auditor(staged: Staged) -> Any:
    from support.hubs import principal_of

    return principal_of(staged.hub, "police", "auditor")


# ---- the command line


def _run(*words: str, folder: Path | None = None) -> Result:
    more = [] if folder is None else ["--dir", str(folder)]
    variables = {name: None for name in os.environ if name.startswith("HUB_")} | {"HUB_LOG_LEVEL": "error"}
    return CliRunner().invoke(main, [*words, *more], env=variables, prog_name="hub")


def _ok(*words: str, folder: Path | None = None) -> str:
    result = _run(*words, folder=folder)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_log_is_taken_elsewhere_and_verified_with_no_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, away = tmp_path / "hub", tmp_path / "away"
    away.mkdir()
    _ok("init", folder=folder)
    _ok("orgs", "add", "one", "One", folder=folder)
    assert _ok("audit", "seal", folder=folder) == _ok("audit", "checkpoint", folder=folder)
    _ok("audit", "checkpoint", str(away / "early.txt"), folder=folder)
    _ok("orgs", "add", "two", "Two", folder=folder)
    assert "checkpoint.txt" in _ok("audit", "publish", str(away / "published"), folder=folder)
    (away / "key.txt").write_text(_ok("audit", "key", folder=folder))
    for name in ("log.jsonl", "log.jsonl.gz"):
        _ok("audit", "export", str(away / name), folder=folder)
        assert (away / name).stat().st_mode & 0o077 == 0
        assert "is there already" in _run("audit", "export", str(away / name), folder=folder).stderr
    assert sorted(file.name for file in away.iterdir() if file.name[0] == ".") == []
    folder.rename(tmp_path / "gone")
    monkeypatch.chdir(away)

    checks = [word for name in ("early.txt", "published/checkpoint.txt") for word in ("--checkpoint", name)]
    for name in ("log.jsonl", "log.jsonl.gz"):
        said = _ok("audit", "verify", "--export", name, "--key", "key.txt", *checks)
        assert "begins with what 2 published checkpoints covered" in said and "Everything holds" in said
    assert not (away / "hub-data").exists(), "verifying makes nothing"
    plain = gzip.decompress((away / "log.jsonl.gz").read_bytes())
    (away / "bent.jsonl").write_bytes(plain.replace(b'"one"', b'"eno"'))
    result = _run("audit", "verify", "--export", "bent.jsonl", "--key", "key.txt")
    assert result.exit_code == 1 and "BENT: " in result.stderr and "Everything holds" not in result.output


def test_verifying_an_export_says_what_is_missing(tmp_path: Path) -> None:
    file = tmp_path / "log.jsonl"
    file.write_bytes(b"{}\n")
    packed = tmp_path / "log.jsonl.gz"
    packed.write_bytes(gzip.compress(b"x" * 1000)[:-20])
    for words, expected in (
        (["--export", str(file)], "no export of an audit log"),
        (["--export", str(packed), "--key", "x"], "cannot be read to its end"),
    ):
        result = _run("audit", "verify", *words)
        assert result.exit_code == 1 and expected in result.stderr, result.output
        assert result.stderr.count("\n") == 1 and "Traceback" not in result.output
    assert "--key goes with --export" in _run("audit", "verify", "--key", "x").stderr
