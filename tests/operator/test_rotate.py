"""`segue keys rotate`: who talks now goes on talking, who was away for two rotations begins anew."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from fakes.operator import Operator

from connectors.sealing import SealBroken, Seals
from segue.keys import load_keys


class Sealed(msgspec.Struct):
    who: str


@pytest.fixture
def data(stopped: Operator) -> Path:
    load_keys(stopped.data)
    return stopped.data


def test_what_was_sealed_before_opens_until_the_second_rotation(stopped: Operator, data: Path) -> None:
    handle = Seals(load_keys(data)).seal("handle", Sealed("ana"))
    said, _ = stopped.run("keys", "rotate")
    assert "A new key seals, 1 older one still opens.\n" in said
    assert "start Segue again" in said
    after = Seals(load_keys(data))
    assert after.unseal("handle", handle, Sealed) == Sealed("ana")
    newer = after.seal("handle", Sealed("ana"))
    assert "the oldest is gone" in stopped.run("keys", "rotate")[0]
    last = Seals(load_keys(data))
    assert last.unseal("handle", newer, Sealed) == Sealed("ana")
    with pytest.raises(SealBroken):
        last.unseal("handle", handle, Sealed)


def test_the_file_stays_closed_to_others_and_nothing_lies_beside_it(stopped: Operator, data: Path) -> None:
    stopped.run("keys", "rotate")
    assert (data / "keys.json").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in data.iterdir()] == ["keys.json"]
    assert len(json.loads((data / "keys.json").read_text())["sealing"]) == 2


def test_without_keys_or_with_broken_ones_nothing_is_changed(stopped: Operator) -> None:
    assert "There are no keys in" in stopped.run("keys", "rotate", code=1)[1]
    assert not stopped.data.exists()
    stopped.data.mkdir()
    (stopped.data / "keys.json").write_text("{}")
    assert "cannot be read: restore it from a backup" in stopped.run("keys", "rotate", code=1)[1]
    assert (stopped.data / "keys.json").read_text() == "{}"
