"""What all tests share: private buffers, waiting for conditions, the switch for long tests, and what a skip means.

A test that needs something from outside (a program, a server, an optional package) skips where that is absent, and
says why. All skips are listed at the end. In CI a skip is a failure, unless its reason starts with ``data:`` (recorded
measurements that are not part of the repository) or ``optional:`` (packages that nobody has to install).
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

_ALLOWED = ("data:", "optional:")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="also run soaks, thousands of kills and big fuzzing")


def pytest_configure(config: pytest.Config) -> None:
    # No test may read or change the settings of whoever runs it; fixtures of whole modules need it already.
    state = tempfile.mkdtemp(prefix="firstlight-state-")
    os.environ["FIRSTLIGHT_STATE"] = state
    config.add_cleanup(lambda: shutil.rmtree(state, ignore_errors=True))
    # The default suite tries the same examples every time, and no busy machine makes an example too slow.
    common = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.register_profile("default", common, derandomize=True)
    settings.register_profile("long", common, max_examples=1000)
    settings.load_profile("long" if config.getoption("--long") else "default")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--long"):
        return
    kept = [item for item in items if "long" not in item.keywords]
    left_out = [item for item in items if "long" in item.keywords]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = kept


def _in_ci() -> bool:
    return os.environ.get("CI", "").lower() not in ("", "0", "false")


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Why something was skipped."""
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return text.removeprefix("Skipped: ")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if _in_ci() and report.skipped and not hasattr(report, "wasxfail"):
        reason = _reason(report)
        if not reason.startswith(_ALLOWED):
            report.outcome = "failed"
            report.longrepr = f"Skipped, which in CI is a failure: {reason}"
    return report


def _skipped(config: pytest.Config) -> list[str]:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    return [] if reporter is None else [_reason(report) for report in reporter.stats.get("skipped", [])]


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    # A whole file that was skipped while it was collected has no report of its own that could fail.
    if _in_ci() and exitstatus == 0 and any(not r.startswith(_ALLOWED) for r in _skipped(session.config)):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    skipped = Counter(_skipped(config))
    if not skipped:
        return
    terminalreporter.section("NOT TESTED HERE", yellow=True)
    for reason, count in sorted(skipped.items()):
        failure = _in_ci() and not reason.startswith(_ALLOWED)
        terminalreporter.line(f"{'FAILURE in CI: ' if failure else ''}{count} skipped: {reason}")


@pytest.fixture
def buffer_root() -> Iterator[Path]:
    """A fresh private folder in shared memory."""
    base = Path("/dev/shm") if Path("/dev/shm").is_dir() else None
    root = Path(tempfile.mkdtemp(prefix="firstlight-test-", dir=base))
    yield root
    shutil.rmtree(root, ignore_errors=True)


@pytest.fixture
def wait_for() -> Callable[..., None]:
    """``wait_for(condition, timeout=10)``: return as soon as the condition holds, fail when it never does."""

    def wait(condition: Callable[[], object], timeout: float = 10.0) -> None:
        deadline = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > deadline:
                pytest.fail(f"condition did not hold within {timeout} s")
            time.sleep(0.002)

    return wait
