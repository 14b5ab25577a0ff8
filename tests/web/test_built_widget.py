"""The committed bundle is the one that its sources make, and stays within its budget."""

import gzip
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

WEB = Path(__file__).resolve().parents[2] / "web"
DIST = WEB / "dist" / "widget"
REBUILD = "run `python -m tools.build_widget` and commit web/dist/widget"


@pytest.fixture
def manifest() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DIST / "manifest.json").read_text("utf-8"))
    return found


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def drifted(hashes: dict[str, str], folder: Path) -> list[str]:
    return [name for name, digest in hashes.items() if not (folder / name).exists() or sha256(folder / name) != digest]


def test_no_source_moved_since_the_bundle_was_built(manifest: dict[str, Any]) -> None:
    assert drifted(manifest["sources"], WEB) == [], REBUILD


def test_every_module_of_the_widget_went_into_the_bundle(manifest: dict[str, Any]) -> None:
    files = {path.relative_to(WEB).as_posix() for path in (WEB / "widget").rglob("*") if path.is_file()}
    assert {name for name in files if not name.endswith(".d.ts")} - set(manifest["sources"]) == set(), REBUILD


def test_every_built_file_is_the_one_that_was_built(manifest: dict[str, Any]) -> None:
    assert drifted(manifest["files"], DIST) == [], REBUILD
    assert set(manifest["files"]) == {path.name for path in DIST.iterdir()} - {"manifest.json"}


def test_a_source_changed_by_one_byte_is_noticed(manifest: dict[str, Any], tmp_path: Path) -> None:
    changed = tmp_path / "widget" / "loader.js"
    changed.parent.mkdir()
    changed.write_bytes((WEB / "widget" / "loader.js").read_bytes() + b"\n")
    hashes = {"widget/loader.js": manifest["sources"]["widget/loader.js"]}
    assert drifted(hashes, tmp_path) == ["widget/loader.js"]


def test_gzip_siblings_hold_the_same_bytes() -> None:
    siblings = sorted(DIST.glob("*.gz"))
    assert len(siblings) >= 5
    for sibling in siblings:
        assert gzip.decompress(sibling.read_bytes()) == sibling.with_suffix("").read_bytes(), sibling.name
        assert sibling.with_suffix(".br").exists(), sibling.name


PAGE = (DIST / "embed.html").read_text("utf-8")
AT_ONCE = tuple(re.findall(r'"/assets/widget/([^"]+)"', PAGE))
LOCALES = ("pt-BR", "en")


def named(pattern: str) -> tuple[str, ...]:
    return tuple(path.name for path in DIST.glob(pattern))


def later() -> tuple[str, ...]:
    """The parts that are fetched when they are first needed."""
    rest = [name for name in named("*.js") if name not in AT_ONCE and name != "loader.js"]
    return tuple(name for name in rest if not name.startswith(LOCALES))


@pytest.mark.parametrize(
    ("names", "brotli", "zipped"),
    [
        pytest.param(("loader.js",), 2.5, 3.0, id="loader"),
        pytest.param(AT_ONCE, 15.0, 17.0, id="panel"),
        pytest.param(later(), 15.0, 17.0, id="later parts together"),
        pytest.param(named("pt-BR-*.js"), 1.5, 2.0, id="pt-BR"),
        pytest.param(named("en-*.js"), 1.5, 2.0, id="en"),
    ],
)
def test_what_a_visitor_loads_stays_within_its_budget(names: tuple[str, ...], brotli: float, zipped: float) -> None:
    def size(ending: str) -> float:
        return sum((DIST / (name + ending)).stat().st_size for name in names) / 1024

    assert names
    assert size(".br") <= brotli
    assert size(".gz") <= zipped


def test_the_page_names_everything_that_the_panel_imports_at_once() -> None:
    """Otherwise the budget above would count too little."""

    def follow(name: str) -> set[str]:
        script = (DIST / name).read_text("utf-8")
        found = set(re.findall(r'(?:from|import)"\./([\w.-]+\.js)"', script))
        return {name}.union(*(follow(other) for other in found))

    [panel] = named("panel-*.js")
    assert follow(panel) | set(named("panel-*.css")) == set(AT_ONCE)
    assert len(later()) >= 5


def test_the_frame_loads_files_that_exist() -> None:
    assert len(AT_ONCE) >= 2
    assert all((DIST / name).is_file() for name in AT_ONCE)
    assert PAGE.count("{{config}}") == PAGE.count("{{") == 1


def vendored() -> Iterator[tuple[str, str]]:
    lock = json.loads((WEB / "vendor" / "vendor.lock.json").read_text("utf-8"))
    for package in lock["packages"]:
        assert package["version"]
        assert package["integrity"].startswith("sha512-")
        assert package["licence"] in {"MIT", "Apache-2.0", "ISC", "OFL-1.1"}
        assert any(name.startswith("LICENSES/") for name in package["files"]), package["name"]
        yield from ((name, entry["sha256"]) for name, entry in package["files"].items())


def test_vendored_files_are_the_ones_in_the_lock() -> None:
    lock = dict(vendored())
    assert drifted(lock, WEB / "vendor") == []
    there = {path.relative_to(WEB / "vendor").as_posix() for path in (WEB / "vendor").rglob("*") if path.is_file()}
    assert set(lock) == there - {"vendor.lock.json"}
