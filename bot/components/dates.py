"""Dates that people write about orders, in Portuguese and English, resolved against a given today. Pure.

Rules, not a general parser: `dateparser` brings four packages and finds dates in "a", "em" and sizes.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Callable, Iterator, List, NamedTuple, Optional, Tuple

from bot.components.words import fold


class FoundDate(NamedTuple):
    """A day and the place of the words that name it."""

    day: date
    start: int
    end: int


_DAYS = {
    **{name: number for number, name in enumerate("segunda terca quarta quinta sexta sabado domingo".split())},
    **{name: number for number, name in enumerate("monday tuesday wednesday thursday friday saturday sunday".split())},
}
_MONTHS = {
    name: number
    for names in (
        "janeiro fevereiro marco abril maio junho julho agosto setembro outubro novembro dezembro",
        "january february march april may june july august september october november december",
    )
    for number, name in enumerate(names.split(), start=1)
}
_NAMED_DAYS = {
    "depois de amanha": 2, "day after tomorrow": 2, "anteontem": -2, "antes de ontem": -2, "day before yesterday": -2,
    "hoje": 0, "hj": 0, "tmrw": 1, "amh": 1, "today": 0, "amanha": 1, "tomorrow": 1, "ontem": -1, "yesterday": -1,
    "semana passada": -7, "last week": -7, "semana que vem": 7, "proxima semana": 7, "next week": 7,
}  # fmt: skip
_UNITS = {"dia": 1, "day": 1, "semana": 7, "week": 7, "mes": 30, "month": 30}
_NUMBERS = {
    **{name: number for number, name in enumerate("um dois tres quatro cinco seis sete oito nove dez".split(), 1)},
    **{name: number for number, name in enumerate("one two three four five six seven eight nine ten".split(), 1)},
    "uma": 1, "duas": 2, "a": 1, "quinze": 15,
}  # fmt: skip

_COUNT = rf"(\d{{1,3}}|{'|'.join(_NUMBERS)})"
_UNIT = r"(dia|day|semana|week|mes|month)(?:s|es)?"
_DAY = "|".join(_DAYS)
_MONTH = "|".join(_MONTHS)

_NUMERIC = re.compile(r"(?<![\d./-])(\d{1,2})([/.-])(\d{1,2})(?:\2(\d{4}|\d{2}))?(?![\d/-]|[.,]\d)")
_ISO = re.compile(r"(?<![\d-])(\d{4})-(\d{2})-(\d{2})(?![\d-])")
_DAY_MONTH = re.compile(rf"(?<!\d)(\d{{1,2}})(?:st|nd|rd|th|o|º)? (?:de |of )?({_MONTH})(?: (?:de |of )?(\d{{4}}))?\b")
_MONTH_DAY = re.compile(rf"\b({_MONTH}) (\d{{1,2}})(?:st|nd|rd|th)?(?:,? (\d{{4}}))?(?!\d)")
_ON_DAY = re.compile(r"\b(?:dia (\d{1,2})|the (\d{1,2})(?:st|nd|rd|th))\b(?! ?(?:/|dias|days))")
_NAMED = re.compile(rf"\b(?:{'|'.join(_NAMED_DAYS)})\b")
_AGO = re.compile(rf"\b(?:(?:ha|faz|tem) {_COUNT} {_UNIT}|{_COUNT} {_UNIT} (?:atras|ago))\b")
_AHEAD = re.compile(rf"\b(?:daqui a|em|in|dentro de|within) {_COUNT} {_UNIT}\b")
_WEEKDAY = re.compile(
    rf"\b(?:(ultim[ao]|last|proxim[ao]|next|this|nest[ae]) )?({_DAY})s?(?:[ -]feira)?(?: (passad[ao]|que vem))?\b"
)
_ORDINAL = frozenset({"segunda", "terca", "quarta", "quinta", "sexta"})  # "segunda via" is no day
_NO_DAY = re.compile(r" (?:via|vez|opcao|parcela|tentativa|compra|par|peca)\b")


def _near(today: date, day: int, month: int, year: Optional[str]) -> Optional[date]:
    """The day; without a year, in the one that brings it nearest to today."""
    try:
        if year:
            return date(int(year) + (2000 if len(year) == 2 else 0), month, day)
        several = [date(today.year + shift, month, day) for shift in (-1, 0, 1)]
    except ValueError:
        return None
    return min(several, key=lambda one: abs((one - today).days))


def _number(written: str) -> int:
    return int(written) if written.isdigit() else _NUMBERS[written]


def _weekday(today: date, found: re.Match[str]) -> date:
    before, name, after = found.groups()
    ahead = (_DAYS[name] - today.weekday()) % 7
    if (before or "").startswith(("ultim", "last")) or (after or "").startswith("passad"):
        return today + timedelta(days=ahead - 7 if ahead else -7)
    if not ahead and ((before or "").startswith(("proxim", "next")) or after == "que vem"):
        ahead = 7
    return today + timedelta(days=ahead)


def _day_of_month(today: date, day: int) -> Optional[date]:
    """The nearest such day, of this month or a neighbour."""
    several: List[date] = []
    for shift in (-1, 0, 1):
        month = (today.month - 1 + shift) % 12 + 1
        year = today.year + (today.month - 1 + shift) // 12
        try:
            several.append(date(year, month, day))
        except ValueError:
            continue
    return min(several, key=lambda one: abs((one - today).days)) if several else None


def _patterns(today: date) -> List[Tuple[re.Pattern[str], Callable[[re.Match[str]], Optional[date]]]]:
    def shifted(found: re.Match[str], sign: int) -> date:
        count, unit = [group for group in found.groups() if group]
        return today + timedelta(days=sign * _number(count) * _UNITS[unit])

    return [
        (_ISO, lambda found: _near(today, int(found[3]), int(found[2]), found[1])),
        (_NUMERIC, lambda found: _near(today, int(found[1]), int(found[3]), found[4])),
        (_DAY_MONTH, lambda found: _near(today, int(found[1]), _MONTHS[found[2]], found[3])),
        (_MONTH_DAY, lambda found: _near(today, int(found[2]), _MONTHS[found[1]], found[3])),
        (_AGO, lambda found: shifted(found, -1)),
        (_AHEAD, lambda found: shifted(found, 1)),
        (_NAMED, lambda found: today + timedelta(days=_NAMED_DAYS[found[0]])),
        (_ON_DAY, lambda found: _day_of_month(today, int(found[1] or found[2]))),
        (_WEEKDAY, lambda found: _weekday(today, found)),
    ]


def find_dates(text: str, today: date) -> Iterator[FoundDate]:
    """The dates of a text, surer kinds first; two may overlap. A weekday alone is the coming one."""
    plain = fold(text)
    if len(plain) != len(text):  # a letter that folds to two would move all places
        plain = "".join(letter if len(letter) == 1 else "?" for letter in map(fold, text))
    for pattern, resolve in _patterns(today):
        for found in pattern.finditer(plain):
            if pattern is _WEEKDAY and found[2] in _ORDINAL and _NO_DAY.match(plain, found.end()):
                continue
            try:
                day = resolve(found)
            except (ValueError, OverflowError):
                day = None
            if day is not None:
                yield FoundDate(day, *found.span())
