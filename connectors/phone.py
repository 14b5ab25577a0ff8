"""Telephone numbers as they name a person: one form for one number, by Google's rules (the package phonenumbers)."""

from __future__ import annotations

import phonenumbers

_BRAZIL = 55
_OLD_MOBILE = 10
"""National digits of a Brazilian mobile number before the ninth digit: area code and eight."""


class NotANumber(ValueError):
    """No telephone number; the text does not quote it."""


def canonical(number: str, region: str = "BR") -> str:
    """E.164. A Brazilian mobile number has its ninth digit, with which Anatel extended all of them until 2016.

    Platforms give numbers with and without it (WhatsApp keeps the form of an old registration). Landlines, which begin
    with 2 to 5, and foreign numbers are left as they are. `region` is assumed where no country code stands in front.
    Raises `NotANumber`.
    """
    try:
        parsed = phonenumbers.parse(number, region)
    except phonenumbers.NumberParseException as error:
        raise NotANumber("this is no telephone number") from error
    national = phonenumbers.national_significant_number(parsed)
    if parsed.country_code == _BRAZIL and len(national) == _OLD_MOBILE and national[2] in "6789":
        national = f"{national[:2]}9{national[2:]}"
        parsed = phonenumbers.parse(f"+{_BRAZIL}{national}")
    if not phonenumbers.is_possible_number(parsed):
        raise NotANumber("this is no telephone number")
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
