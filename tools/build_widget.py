"""Build web/dist/widget from web/widget with a pinned esbuild.

    python -m tools.build_widget            write the files
    python -m tools.build_widget --check    fail when a rebuild would change a byte

The result is committed, so nobody needs Node to run the product or to notice that sources moved: manifest.json holds
the sha256 of every source that went in, and tests/web compares. Names of what a frame loads carry a hash, so browsers
may keep them for ever; only loader.js, whose address stands in shops' pages, keeps its name.
"""

import gzip
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tools.npm_package import ROOT, NotAvailable, tool

WEB = ROOT / "web"
DIST = WEB / "dist" / "widget"
TARGET = "--target=chrome110,firefox115,safari16.4"
BROTLI = (
    "const z=require('zlib'),f=require('fs');"
    "f.writeFileSync(process.argv[2],z.brotliCompressSync(f.readFileSync(process.argv[1]),"
    "{params:{[z.constants.BROTLI_PARAM_QUALITY]:11}}))"
)


def main(check: bool) -> int:
    with tempfile.TemporaryDirectory() as folder:
        built = Path(folder) / "dist"
        built.mkdir()
        build(Path(folder) / "web", built)
        names = {path.name for path in built.iterdir()} | {path.name for path in DIST.glob("*")}
        changed = sorted(name for name in names if differ(built / name, DIST / name))
        if check:
            print("a rebuild changes " + ", ".join(changed) if changed else "a rebuild changes nothing")
            return 1 if changed else 0
        shutil.rmtree(DIST, ignore_errors=True)
        shutil.copytree(built, DIST)
    for path in sorted(DIST.glob("*.br")):
        print(f"{path.stat().st_size:7} {path.name}")
    return 0


def differ(one: Path, other: Path) -> bool:
    return not (one.exists() and other.exists() and one.read_bytes() == other.read_bytes())


def build(stage: Path, built: Path) -> None:
    for part in ("widget", "shared", "vendor"):
        shutil.copytree(WEB / part, stage / part)
    compile_templates(stage)
    sources: set[str] = {"pages/embed.html"}
    # The styles of the loader and of later parts go into scripts as text, so they are minified before the bundling.
    for style in [stage / "widget" / "loader.css", *(stage / "widget" / "later").glob("*.css")]:
        bundle(style, stage, sources, f"--outfile={style}", "--allow-overwrite")
    loader = [f"--outfile={built}/loader.js", "--format=iife", "--loader:.css=text"]
    bundle(stage / "widget/loader.js", stage, sources, *loader)
    hashed = [f"--outdir={built}", "--entry-names=[name]-[hash]", "--chunk-names=[name]-[hash]"]
    bundle(stage / "widget/panel.js", stage, sources, *hashed, "--format=esm", "--splitting", "--loader:.css=text")
    bundle(stage / "widget/panel.css", stage, sources, *hashed)

    page = (WEB / "pages" / "embed.html").read_text("utf-8")
    for placeholder, pattern in (("{{panel}}", "panel-*.js"), ("{{style}}", "panel-*.css")):
        [path] = built.glob(pattern)
        page = page.replace(placeholder, path.name)
    page = page.replace("{{shared}}", preloads(built))
    for path in sorted(built.iterdir()):
        compress(path)
    (built / "embed.html").write_text(page, "utf-8")
    manifest = {
        "sources": {name: sha256(WEB / name) for name in sorted(sources)},
        "files": {path.name: sha256(path) for path in sorted(built.iterdir())},
    }
    (built / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", "utf-8")


def preloads(built: Path) -> str:
    """Links for the modules that the panel imports at once, so that they come beside it and not after it."""
    [panel] = built.glob("panel-*.js")
    names = sorted(set(re.findall(r'from"\./([\w.-]+\.js)"|import"\./([\w.-]+\.js)"', panel.read_text("utf-8"))))
    return "".join(f'<link rel="modulepreload" href="/assets/widget/{one or other}">\n' for one, other in names)


def compile_templates(stage: Path) -> None:
    """Turn html`` templates into calls, so that visitors need no template library."""
    scripts = sorted((stage / "widget").rglob("*.js"))
    command = [node(), str(ROOT / "tools" / "compile_templates.mjs"), str(stage / "vendor" / "htm.js")]
    subprocess.run([*command, *map(str, scripts)], check=True, timeout=60)


def bundle(entry: Path, stage: Path, sources: set[str], *options: str) -> None:
    meta = stage / "meta.json"
    command = [str(tool("esbuild")), str(entry), "--bundle", "--minify", "--charset=utf8", "--legal-comments=none"]
    command += [TARGET, f"--alias:#ui={stage}/widget/kit.js", f"--metafile={meta}", "--log-level=warning", *options]
    subprocess.run(command, check=True, cwd=stage, timeout=60)
    for name in json.loads(meta.read_text("utf-8"))["inputs"]:
        sources.add(re.sub(r"^(\.\./)*", "", name))


def compress(path: Path) -> None:
    data = path.read_bytes()
    path.with_name(path.name + ".gz").write_bytes(gzip.compress(data, 9, mtime=0))
    subprocess.run([node(), "-e", BROTLI, str(path), str(path.with_name(path.name + ".br"))], check=True, timeout=60)


def node() -> str:
    found = shutil.which("node")
    if found is None:
        raise NotAvailable("node is not on PATH; it compiles the templates and compresses the files with brotli.")
    return found


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    try:
        sys.exit(main(check="--check" in sys.argv))
    except NotAvailable as missing:
        print(missing)
        sys.exit(0 if "--check" in sys.argv else 1)
