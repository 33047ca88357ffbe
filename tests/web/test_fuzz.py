"""Whatever is asked, the answer is one of those that the description promises, in words, and never a bug's."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode

from firstlight.session import Session
from firstlight.web import WebSettings, create_app
from tests.web.conftest import Site

OPERATIONS = sorted(
    (method.upper(), path)
    for path, methods in create_app(WebSettings()).openapi()["paths"].items()
    for method in methods
)
"""Each is tried with what fits its description, and with what does not."""


@pytest.fixture(scope="module")
def schema() -> Any:
    return schemathesis.openapi.from_dict(create_app(WebSettings()).openapi())


@pytest.fixture
def client(site: Site, beamline: Session, wait_for: Callable[..., None]) -> httpx.Client:
    operator = site.operator()
    wait_for(lambda: operator.get("api/status").json()["sessions"], 20.0)
    return operator


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_no_request_finds_a_bug(schema: Any, client: httpx.Client, beamline: Session, method: str, path: str) -> None:
    operation = schema[path][method]
    # A stop is a stop: it must work at any time, but here it would only cost time.
    examples = 4 if path.endswith(("/stop", "/abort")) else 12
    run = beamline.last or beamline.loopscan(2, 0.005, "diode", "cam")

    def call(case: Any, channel: str) -> None:
        if channel and "run" in (case.path_parameters or {}):
            # Of a run that is there.
            case.path_parameters |= {"run": run.key, "channel": channel} if "{channel}" in path else {"run": run.key}
        case.headers = {**(case.headers or {}), **{k: v for k, v in client.headers.items() if k != "host"}}
        case.cookies = dict(client.cookies.items())
        response = case.call(base_url=str(client.base_url).rstrip("/"))
        assert response.status_code < 500, f"{case.formatted_path} {case.body!r}: {response.text}"
        if response.status_code >= 400:
            error = response.json()["error"]
            assert error["what"]
            assert "Traceback" not in response.text

    checked = settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    channels = st.sampled_from(["", "cam", "diode"])
    checked(given(case=operation.as_strategy(), channel=channels)(call))()
    # What does not fit the description; some take whatever there is.
    with suppress(Unsatisfiable):
        wrong = operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)
        checked(given(case=wrong, channel=channels)(call))()


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    path=st.sampled_from(["runs/{run}/frame/cam/0", "runs/{run}/curve", "runs/{run}/map", "runs/{run}/roi/cam/0"]),
    query=st.dictionaries(
        st.sampled_from(
            ["view", "px", "x", "y", "z", "norm", "low", "high", "slice", "axis", "stack", "type", "width"]
        ),
        st.one_of(
            st.sampled_from(["", "-1", "0", "1e400", "nan", "1,2", "0,0,1,1", "diode", "rot", "cam", "true", "u8"]),
            st.text(max_size=12),
        ),
        max_size=5,
    ),
)
def test_no_query_of_data_finds_a_bug(
    client: httpx.Client, beamline: Session, path: str, query: dict[str, str]
) -> None:
    run = beamline.last or beamline.loopscan(2, 0.005, "diode", "cam")
    answer = client.get("api/" + path.replace("{run}", run.key), params=query)
    assert answer.status_code < 500, answer.text
