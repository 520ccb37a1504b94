"""A run of the API from its own description finds no server error, and nothing that the description does not say."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)
from structlog.testing import capture_logs

from hub.policy.roles import ROLES
from support.staged import Staged

EXAMPLES = 8  # for each of more than a hundred operations, twice
CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance,
    negative_data_rejection,
]  # fmt: skip


@pytest.fixture(autouse=True)
def _without_a_line_for_each_request() -> Iterator[None]:
    with capture_logs():
        yield


@pytest.fixture
def description(app: Any) -> Any:
    """The API's own description, as a stranger reads it."""
    return schemathesis.openapi.from_wsgi("/api/openapi.json", app)


def test_the_description_is_valid_openapi(description: Any) -> None:
    description.validate()
    assert description.raw_schema["openapi"].startswith("3.1")
    shapes = [
        path.split("{")[0] + "}".join(part.split("}")[-1] for part in path.split("{")) for path in description
    ]
    assert len(shapes) == len(set(shapes)), "two paths that differ only in a parameter's name are one path"


def test_every_operation_says_what_it_does_and_how_to_sign_in(description: Any) -> None:
    for operation in (found.ok() for found in description.get_all_operations()):
        raw = operation.definition.raw
        assert raw.get("summary"), operation.label
        default = description.raw_schema["components"]["responses"]["DEFAULT_ERROR"]
        assert list(default["content"]) == ["application/problem+json"]
        assert "default" in raw["responses"], operation.label


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["valid", "invalid"])
def test_the_api_holds_what_it_says_whatever_is_sent(
    description: Any, staged: Staged, as_role: Callable[..., dict[str, str]], mode: GenerationMode
) -> None:
    callers = [{}, as_role("everything"), *(as_role(role) for role in ROLES)]
    statuses: Counter[int] = Counter()
    for operation in (found.ok() for found in description.get_all_operations()):
        if mode is GenerationMode.NEGATIVE and operation.label == "GET /api/v1/hub":
            continue  # takes nothing, so nothing can be wrong with it

        @settings(
            max_examples=EXAMPLES, derandomize=True, deadline=None, database=None, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(case=operation.as_strategy(mode), caller=st.sampled_from(callers), real=st.booleans())
        def send(case: Any, caller: dict[str, str], real: bool) -> None:
            if real:  # an id that is there leads further than one made up
                names = set(case.path_parameters or ()) & set(staged.ids)
                case.path_parameters |= {name: staged.ids[name] for name in names}
            response = case.call(headers=caller)
            statuses[response.status_code] += 1
            case.validate_response(response, checks=CHECKS)

        send()
    assert {200, 401, 403, 404, 422} <= set(statuses), (
        f"the run did not get far enough to find anything: {statuses}"
    )
