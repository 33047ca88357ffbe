"""What is published works by itself: the wheel, built from the source archive, serves the pages that were packed."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKED = ["src", "frontend", "hatch_build.py", "pyproject.toml", "constraints.txt", "LICENSE", "README.md", "run"]
PAGES = Path("src/firstlight/web/static")


def run(command: list[str], folder: Path, environment: Mapping[str, str] | None = None) -> str:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=110, check=False, env=environment or clean()
    )
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout


def clean(**more: str) -> dict[str, str]:
    """Nothing of this checkout may be found by way of the environment."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "FIRSTLIGHT"))}
    return {**kept, **more}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sources, with pages that belong to them."""
    folder = tmp_path_factory.mktemp("checkout")
    left = shutil.ignore_patterns("node_modules", "dist", "__pycache__", ".static-*")
    for name in PACKED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=left)
        else:
            shutil.copy(ROOT / name, folder / name)
    pages = folder / PAGES
    if not (pages / "index.html").is_file():
        (pages / "assets").mkdir(parents=True)
        (pages / "index.html").write_text('<base href="/" /><script type="module" src="assets/page.js"></script>')
        (pages / "assets/page.js").write_text("export {};")
    # Built from these very sources, so that nobody needs Node here.
    digest = [sys.executable, "-c", "import hatch_build, pathlib; print(hatch_build.digest(pathlib.Path('.')), end='')"]
    (pages / "sources.sha256").write_text(run(digest, folder))
    return folder


def build(target: str, folder: Path) -> Path:
    """One of the archives, by the builder that pip would call."""
    run([sys.executable, "-m", "hatchling", "build", "-t", target, "-d", "built"], folder)
    return next((folder / "built").iterdir())


@pytest.fixture(scope="module")
def sources(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source archive, unpacked."""
    folder = tmp_path_factory.mktemp("sources")
    with tarfile.open(build("sdist", checkout)) as archive:
        archive.extractall(folder, filter="data")
    return next(folder.iterdir())


@pytest.fixture(scope="module")
def wheel(sources: Path) -> Path:
    return build("wheel", sources)


def test_the_archives_carry_the_pages_and_nothing_to_build_them_again(sources: Path, wheel: Path) -> None:
    packed = {path.relative_to(sources).as_posix() for path in (sources / PAGES).rglob("*") if path.is_file()}
    assert f"{PAGES.as_posix()}/index.html" in packed
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {path.removeprefix("src/") for path in packed} <= names
    assert not [name for name in names if name.startswith(("frontend", "tests")) or "node_modules" in name]
    assert [name for name in names if name.endswith("entry_points.txt")]


def test_what_is_installed_serves_its_own_pages(wheel: Path, tmp_path: Path) -> None:
    place = tmp_path / "venv"
    run([sys.executable, "-m", "venv", "--without-pip", str(place)], tmp_path)
    python = place / "bin" / "python"
    install = ["install", "--quiet", "--no-deps", "--no-index", str(wheel)]
    run([sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(python), *install], tmp_path)
    # What it depends on is that of this environment, whose own Firstlight is not seen this way.
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    beside = place / "lib" / version / "site-packages" / "beside.pth"
    beside.write_text(sysconfig.get_paths()["purelib"] + "\n" + sysconfig.get_paths()["platlib"] + "\n")
    ours = run([str(python), "-c", "import firstlight; print(firstlight.__file__)"], tmp_path).strip()
    assert Path(ours).is_relative_to(place)
    environment = clean(
        FIRSTLIGHT_STATE=str(tmp_path / "state"), FIRSTLIGHT_BUFFER=str(tmp_path / "buffer"), PYTHONUNBUFFERED="1"
    )
    server = subprocess.Popen(
        [str(place / "bin" / "firstlight"), "web", "--port", "0"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        said = server.stdout.readline()
        found = re.search(r"http://\S+", said)
        assert found is not None, said
        with httpx.Client(follow_redirects=True, timeout=30.0) as browser:
            page = browser.get(found.group())
            assert page.status_code == 200
            expected = (ROOT / PAGES / "index.html").read_text() if (ROOT / PAGES).is_dir() else "assets/page.js"
            assert page.text.strip() == expected.strip() or expected in page.text
            scripts = re.findall(r'src="([^"]+\.js)"', page.text)
            assert scripts
            for script in scripts:
                answer = browser.get(urljoin(str(page.url), script))
                assert answer.status_code == 200
                assert answer.headers["content-type"].startswith("text/javascript")
                assert "immutable" in answer.headers["cache-control"]
    finally:
        server.send_signal(signal.SIGINT)
        _, problems = server.communicate(timeout=60)
    assert server.returncode == 0, problems
