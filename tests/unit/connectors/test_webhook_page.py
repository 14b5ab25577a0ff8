"""The code on docs/channels/webhook.md works: what it signs we believe, what we sign it believes."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from fakes.webhook_receiver import SECRET, sign, signed_headers

from connectors.webhook import Settings

PAGE = (Path(__file__).parents[3] / "docs" / "channels" / "webhook.md").read_text(encoding="utf-8")
BODY = '{"text": "olá 👋🏽"}'.encode()


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found
    return found[1]


def test_the_python_on_the_page_signs_and_verifies() -> None:
    names: dict[str, Any] = {}
    exec(block("python"), names)
    assert sign(SECRET, "m1", 1_790_000_000, BODY) == names["sign"](SECRET, "m1", 1_790_000_000, BODY)
    good = signed_headers(SECRET, "m1", BODY)
    assert names["is_authentic"](SECRET, good, BODY)
    assert not names["is_authentic"](SECRET, good, BODY + b" ")
    assert not names["is_authentic"](SECRET, signed_headers(SECRET, "m1", BODY, at=time.time() - 400), BODY)


@pytest.mark.skipif(not shutil.which("node"), reason="node is not here")
def test_the_javascript_on_the_page_signs_and_verifies(tmp_path: Path) -> None:
    good = signed_headers(SECRET, "m1", BODY)
    old = signed_headers(SECRET, "m1", BODY, at=time.time() - 400)
    cases = [[good, BODY.decode()], [good, BODY.decode() + " "], [old, BODY.decode()]]
    program = tmp_path / "page.mjs"
    program.write_text(
        block("javascript")
        + f"const cases = {json.dumps(cases)};\n"
        + f"const held = cases.map(([headers, body]) => isAuthentic({json.dumps(SECRET)}, headers, body));\n"
        + f"console.log(JSON.stringify([sign({json.dumps(SECRET)}, 'm1', 1790000000, cases[0][1]), ...held]));\n"
    )
    told = subprocess.run(["node", str(program)], capture_output=True, text=True, check=True, timeout=30).stdout
    assert [sign(SECRET, "m1", 1_790_000_000, BODY), True, False, False] == json.loads(told)


def test_every_setting_is_on_the_page() -> None:
    assert [] == [name for name in Settings.model_fields if f"`{name}`" not in PAGE]
