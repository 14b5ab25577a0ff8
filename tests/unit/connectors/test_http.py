"""What a platform's answer means, whatever the platform."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from connectors.contract import ConnectorError, CredentialsRejected, RefusedForGood, TryAgain, Unknown
from connectors.http import Answer, AnswerLost, lost, refuse, retry_after

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7),
        (" 7 ", 7),
        ("0.5", 0.5),
        ("Sun, 22 Nov 2026 12:01:00 GMT", 60),
        ("Sun, 22 Nov 2026 11:00:00 GMT", 0),
        ("Sun, 22 Nov 2026 12:01:00", 60),
        ("999999999999", 86400),
        ("Sun, 22 Nov 9999 12:01:00 GMT", 86400),
        ("-5", 0),
        ("soon", 0),
        ("٣", 0),
        ("1e9", 0),
        ("", 0),
        ("nan", 0),
        ("Sun, 99 Nov 2026 99:99:99 GMT", 0),
    ],
)
def test_a_retry_after_is_seconds_or_a_date_or_nothing(value: str, seconds: float) -> None:
    assert seconds == retry_after({"retry-after": value}, NOW)


def test_no_retry_after_is_no_time() -> None:
    assert 0 == retry_after({}, NOW)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (302, RefusedForGood),
        (400, RefusedForGood),
        (401, CredentialsRejected),
        (403, CredentialsRejected),
        (404, RefusedForGood),
        (408, TryAgain),
        (409, RefusedForGood),
        (410, RefusedForGood),
        (429, TryAgain),
        (500, TryAgain),
        (529, TryAgain),
    ],
)
def test_every_status_but_success_is_an_error_that_quotes_nothing(status: int, error: type[ConnectorError]) -> None:
    with pytest.raises(error) as raised:
        refuse(Answer(status, {}, b"what Ana wrote"))
    assert "Ana" not in str(raised.value)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_success_is_success(status: int) -> None:
    refuse(Answer(status, {}, b""))


def test_a_lost_answer_is_tried_again_only_where_repeats_are_dropped() -> None:
    assert isinstance(lost(idempotent=True, error=AnswerLost("x")), TryAgain)
    assert isinstance(lost(idempotent=False, error=AnswerLost("x")), Unknown)
