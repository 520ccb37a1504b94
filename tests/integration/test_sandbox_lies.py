"""What comes of a plugin that lies about its result, or would let data out through an error."""

from __future__ import annotations

import re

import pyarrow as pa
import pytest

from hub.runs.sandbox import PluginFailed
from support.plugins import TestPlugins

CANARY = "Ermintrude Wexbourne-Canary"


@pytest.fixture(scope="module")
def sandboxed(tmp_path_factory: pytest.TempPathFactory) -> TestPlugins:
    made = TestPlugins(tmp_path_factory.mktemp("plugins"))
    made.need_sandbox()
    return made


@pytest.fixture
def plugins(sandboxed: TestPlugins) -> TestPlugins:
    """One sandbox for all tests of this file; each writes its plugin anew."""
    sandboxed.clear()
    return sandboxed


def failure(plugins: TestPlugins, body: str, **settings: object) -> PluginFailed:
    """How the run of a plugin with this body fails."""
    plugins.add(body)
    with pytest.raises(PluginFailed) as failed:
        plugins.run(**settings)  # type: ignore[arg-type]
    return failed.value


# ---- lying about the result


RESULT = """
import json, struct
from hub_sdk.wire import RESULT_HEADER, RESULT_MAGIC, event_line
fds = [int(name) for name in os.listdir("/proc/self/fd") if int(name) > 2]
result = max((fd for fd in fds if os.path.exists(f"/proc/self/fd/{fd}")), key=lambda fd: os.fstat(fd).st_size)
links = {fd: f"/proc/self/fd/{fd}" for fd in fds}
pipe = [fd for fd in fds if os.path.exists(links[fd]) and os.readlink(links[fd]).startswith("pipe")][-1]
def claim(index, *messages):
    offset = 64
    spans = []
    for message in messages:
        os.pwrite(result, message, offset)
        spans.append([offset, len(message)])
        offset += -(-len(message) // 64) * 64
    data = index if isinstance(index, bytes) else json.dumps(index(spans)).encode()
    os.pwrite(result, data, offset)
    os.pwrite(result, RESULT_HEADER.pack(RESULT_MAGIC, offset, len(data)), 0)
    os.write(pipe, event_line("done"))
    os._exit(0)
def tables(spans, name="found"):
    return {"tables": [{"name": name, "batches": spans}], "report": {"title": "T", "summary": "S"}}
batch = pa.record_batch({"what": ["a"], "value": ["b"]})
"""


@pytest.mark.parametrize(
    ("lie", "problem"),
    [
        ("claim(tables, b'not arrow at all')", "not well-formed Arrow"),
        ("claim(tables, bytes(batch.serialize())[:-32])", "not well-formed Arrow"),
        ("claim(tables, bytes(pa.record_batch({'a': [1]}).serialize()))", "not well-formed Arrow"),
        ("claim(tables, bytes(batch.schema.serialize()))", "not a record batch"),
        (
            "big = pa.record_batch({'what': ['a' * 100_000], 'value': ['b' * 100_000]})\n"
            "claim(tables, bytes(big.serialize()).replace(b'a' * 100_000, b'\\xff' * 100_000))",
            "not well-formed Arrow",
        ),
        (
            "big = pa.record_batch({'what': ['a' * 100_000], 'value': ['b' * 100_000]})\n"
            "sink = pa.BufferOutputStream()\n"
            "options = pa.ipc.IpcWriteOptions(compression='zstd')\n"
            "writer = pa.ipc.new_stream(sink, big.schema, options=options)\n"
            "writer.write_batch(big); writer.close()\n"
            "reader = pa.ipc.MessageReader.open_stream(sink.getvalue())\n"
            "reader.read_next_message()\n"
            "claim(tables, bytes(reader.read_next_message().serialize()))",
            "compressed",
        ),
        ("claim(lambda spans: tables([[1 << 40, 64]]))", "points outside"),
        ("claim(lambda spans: tables([[-64, 64]]))", "at least 0"),
        ("claim(lambda spans: tables([], '../../etc/cron.d/x'))", "not the outputs of the manifest"),
        ("claim(lambda spans: tables(spans) | {'more': 1})", "known are: tables, report"),
        ("claim(lambda spans: {**tables(spans), 'report': {'title': '<script>'}})", "lacks summary"),
        ("claim(b'[' * 100_000)", "not JSON"),
        ("claim(b'{\"tables\": NaN, \"report\": 1}')", "not JSON"),
        (
            "os.pwrite(result, RESULT_HEADER.pack(RESULT_MAGIC, 64, 1 << 60), 0)\n"
            "os.write(pipe, event_line('done')); os._exit(0)",
            "index of",
        ),
        ("os.write(pipe, event_line('done')); os._exit(0)", "was not written"),
    ],
)  # fmt: skip
def test_a_result_that_is_not_what_it_should_be_is_refused(
    plugins: TestPlugins, lie: str, problem: str
) -> None:
    failed = failure(plugins, RESULT + lie)

    assert failed.kind == "output"
    assert re.search(problem, failed.message)


def test_a_result_that_is_well_formed_by_hand_is_taken(plugins: TestPlugins) -> None:
    plugins.add(RESULT + "claim(tables, bytes(batch.serialize()))")

    assert plugins.run().tables["found"].to_pylist() == [{"what": "a", "value": "b"}]


def test_ending_without_a_word_is_a_failure(plugins: TestPlugins) -> None:
    assert failure(plugins, "os._exit(0)").kind == "protocol"
    assert failure(plugins, "sys.exit(0)").message.startswith("The plugin raised SystemExit at test_plugin:")
    assert "SIGSEGV" in failure(plugins, "ctypes.string_at(0)").message
    assert "SIGABRT" in failure(plugins, "os.abort()").message


# ---- telling what it should not


@pytest.mark.parametrize(
    "slip",
    [
        "raise ValueError(secret)",
        "raise type(secret, (Exception,), {})(secret)",
        "raise KeyError(secret) from RuntimeError(secret)",
        "sys.stderr.write(secret); sys.stdout.write(secret); os.write(2, secret.encode()); os.abort()",
        "import warnings; warnings.warn(secret); raise UserWarning(secret)",
        "int(secret)",
        "pa.array([secret]).cast(pa.int64())",
        "context.polars('numbers').select(secret)",
        "context.duckdb().sql('select n::date from numbers').fetchall()",
        "return RunOutput({'found': pa.table({secret: [1]})}, Report('T', 'S'))",
        "return RunOutput({secret: pa.table({})}, Report('T', 'S'))",
        "return RunOutput({'found': pa.table({'what': [secret], 'value': [1]})}, Report('T', 'S'))",
        "exec(compile('raise ValueError()', secret, 'exec'), {'__name__': 'test_plugin.' + secret})",
    ],
)
def test_no_value_leaks_through_an_error(plugins: TestPlugins, slip: str) -> None:
    table = pa.table({"n": [1], "text": [CANARY]})

    failed = failure(
        plugins, "secret = context.table('numbers')['text'][0].as_py()\n" + slip, inputs={"numbers": table}
    )

    told = f"{failed} {failed.message} {failed.detail} {failed.fields} {failed.log} {failed.__context__!r}"
    assert failed.kind in {"error", "output"}
    assert "Ermintrude" not in told
    assert "Canary" not in told


def test_an_error_says_its_type_and_where_in_the_plugin_it_was_raised(plugins: TestPlugins) -> None:
    plugins.add("int('x')")
    line = (plugins.folder / "test_plugin.py").read_text().splitlines().index("        int('x')") + 1

    with pytest.raises(PluginFailed) as failed:
        plugins.run()

    assert failed.value.message == f"The plugin raised ValueError at test_plugin:{line} (hub_run)."
    assert failed.value.log == (f"at test_plugin:{line} (hub_run)",)
