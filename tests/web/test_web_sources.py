"""What our pages and scripts must never hold, and that both languages say everything."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WEB = ROOT / "web"
SCRIPTS = [path for folder in ("widget", "shared", "pages") for path in sorted((WEB / folder).rglob("*.js"))]
PAGES = sorted((WEB / "pages").rglob("*.html"))

SINKS = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|dangerouslySetInnerHTML|document\.write|createContextualFragment|srcdoc"
    r"|\beval\b|new Function|set(?:Timeout|Interval)\(\s*[\"'`]|setAttribute\(\s*[\"']on|setHTMLUnsafe|parseFromString"
)
INLINE = re.compile(
    r"<style|\sstyle=|\son[a-z]+=|javascript:|<script(?![^>]*(?:\ssrc=|application/json))", re.IGNORECASE
)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.relative_to(WEB).as_posix())
def test_no_script_makes_code_or_elements_from_a_string(path: Path) -> None:
    assert SINKS.findall(path.read_text("utf-8")) == []


@pytest.mark.parametrize(
    "line", ["a.innerHTML = b", "eval(x)", "setTimeout('x()', 1)", "new Function(s)", 'e.setAttribute("onclick", s)']
)
def test_the_search_for_forbidden_sinks_finds_one(line: str) -> None:
    assert SINKS.search(line)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_no_page_needs_an_exception_in_its_policy(path: Path) -> None:
    assert INLINE.findall(path.read_text("utf-8")) == []


@pytest.mark.parametrize("line", ["<script>x</script>", '<p style="x">', "<b onclick=x>", "<style>"])
def test_the_search_for_inline_code_finds_one(line: str) -> None:
    assert INLINE.search(line)


def test_every_file_that_a_page_names_exists() -> None:
    for page in PAGES:
        for name in re.findall(r'"/assets/([^"{]+)"', page.read_text("utf-8")):
            assert name.startswith("widget/") or (WEB / "pages" / "assets" / name).is_file(), name


def tables(part: str) -> dict[str, dict[str, str]]:
    """Of the panel a file for each language; of the other parts, which are small, one file with both."""
    folder = WEB / "widget" / "i18n"
    if part == "panel":
        return {locale: json.loads((folder / f"{locale}.json").read_text("utf-8")) for locale in ("pt-BR", "en")}
    found: dict[str, dict[str, str]] = json.loads((folder / f"{part}.json").read_text("utf-8"))
    return found


PARTS = ("panel", "loader", "elsewhere")


def test_every_table_is_looked_at() -> None:
    assert {path.stem for path in (WEB / "widget" / "i18n").iterdir()} == {"pt-BR", "en", "loader", "elsewhere"}


@pytest.mark.parametrize("part", PARTS)
def test_both_languages_say_everything(part: str) -> None:
    found = tables(part)
    assert found["pt-BR"].keys() == found["en"].keys()


def test_every_sentence_is_used_and_every_use_has_a_sentence() -> None:
    code = "".join(path.read_text("utf-8") for path in (WEB / "widget").rglob("*.js"))
    keys = tables("panel")["en"].keys() | tables("elsewhere")["en"].keys()
    used = set(re.findall(r'\bt\(\s*"([a-z_]+)"', code))
    # A message's state is looked up by its own name.
    used |= {"delivered", "read"} | {key for key in keys if key.startswith("failed_")}
    assert used - keys == set()
    assert {key for key in keys - used if f'"{key}"' not in code} == set()


@pytest.mark.parametrize("part", PARTS)
def test_both_languages_fill_the_same_gaps(part: str) -> None:
    found = tables(part)
    for key, sentence in found["en"].items():
        assert re.findall(r"\{\w+\}", sentence) == re.findall(r"\{\w+\}", found["pt-BR"][key]), key


def test_sentences_are_calm() -> None:
    sentences = [text for part in PARTS for table in tables(part).values() for text in table.values()]
    assert [sentence for sentence in sentences if "!" in sentence or not sentence.strip()] == []


def test_the_demo_shop_says_everything_in_both_languages() -> None:
    page = (WEB / "pages" / "demo.html").read_text("utf-8")
    own = re.findall(r'class="t[^"]*" lang="(pt-BR|en)"', page)
    assert own.count("pt-BR") == own.count("en") >= 15


def test_nothing_names_the_host_of_a_registry() -> None:
    hosts = re.compile(r"registry\.npm|npmjs\.|unpkg|jsdelivr|pypi\.org|files\.pythonhosted", re.IGNORECASE)
    paths = [*SCRIPTS, *PAGES, *(ROOT / "tools").glob("*"), WEB / "README.md", WEB / "vendor" / "vendor.lock.json"]
    assert [path.name for path in paths if path.is_file() and hosts.search(path.read_text("utf-8"))] == []
