"""British identifiers: what each looks like, its check digit, and its one canonical form.

Normalisation first (capitals, spaces and hyphens out), then the check. `normalise` works on one text and is
the reference; `identifiers_columnar.py` does the same to a column. Sources of the rules stand beside each;
they are the published ones and none of them says that a number was issued.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

__all__ = ["KINDS", "Kind", "display", "is_valid", "normalise"]

_UPPER: Final = str.maketrans(string.ascii_lowercase, string.ascii_uppercase, " -")
UPN_LETTERS: Final = "ABCDEFGHJKLMNPQRTUVWXYZ"
PNC_LETTERS: Final = "ZABCDEFGHJKLMNPQRTUVWXY"
UTR_DIGITS: Final = "21987654321"
UTR_WEIGHTS: Final = (6, 7, 8, 9, 10, 5, 4, 3, 2)
VAT_WEIGHTS: Final = (8, 7, 6, 5, 4, 3, 2, 10, 1)

#: Prefixes of company numbers that Companies House gives out or has given out.
COMPANY_PREFIXES: Final = (
    "AC", "BR", "CE", "CS", "FC", "FE", "GE", "GN", "GS", "IC", "IP", "LP", "NA", "NC", "NF", "NI", "NL",
    "NO", "NP", "NR", "NV", "NZ", "OC", "OE", "PC", "RC", "RS", "SA", "SC", "SE", "SF", "SG", "SI", "SL",
    "SO", "SP", "SR", "SZ", "ZC",
)  # fmt: skip

# Two letters to begin a national insurance number (HMRC manual NIM39110).
_NINO_FIRST: Final = "ABCEGHJKLMNOPRSTWXYZ"
_NINO_SECOND: Final = "ABCEGHJKLMNPRSTWXYZ"
_NINO_NEVER: Final = ("BG", "GB", "KN", "NK", "NT", "TN", "ZZ")
_NINO_PREFIX: Final = "|".join(
    f"{first}[{''.join(second for second in _NINO_SECOND if first + second not in _NINO_NEVER)}]"
    for first in _NINO_FIRST
)
# Outward codes by the Royal Mail's Programmer's Guide (letters by position).
_OUTWARD: Final = (
    "[A-PR-UWYZ][0-9][0-9]?|[A-PR-UWYZ][A-HK-Y][0-9][0-9]?"
    "|[A-PR-UWYZ][0-9][A-HJKPSTUW]|[A-PR-UWYZ][A-HK-Y][0-9][ABEHMNPRVWXY]"
)
_INWARD: Final = "[0-9][ABD-HJLNP-UW-Z]{2}"
# Divisions of SIC 2007 (Office for National Statistics): the numbers that are used.
_DIVISIONS: Final = (
    "0[1-35-9]|1[0-9]|2[0-9]|3[0-35-9]|4[1-35-79]|5[0-35689]|6[0-689]|7[0-57-9]|8[0-24-8]|9[0-9]"
)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of identifier.

    `canonical` is a pattern (of the part in which every engine agrees) for the whole canonical form;
    `check` then decides on its check digit, None where there is none; `tidy` brings text that is already in
    capitals and without spaces and hyphens to the canonical form; `hint` tells a person what is expected.
    """

    name: str
    title: str
    canonical: str
    hint: str
    example: str
    tidy: Callable[[str], str] | None = None
    check: Callable[[str], bool] | None = None


def nhs_number_holds(number: str) -> bool:
    """Mod 11 over ten digits, weights 10..2 (NHS Data Dictionary, NHS NUMBER)."""
    if number in ("0000000000", "9999999999"):
        return False
    total = sum(int(digit) * weight for digit, weight in zip(number, range(10, 1, -1), strict=False))
    check = 11 - total % 11
    return check != 10 and check % 11 == int(number[9])


def upn_holds(number: str) -> bool:
    """Letter from the twelve characters after it, weights 2..13, mod 23 (DfE, UPN guide)."""
    total = 0
    for weight, sign in enumerate(number[1:], start=2):
        total += weight * (int(sign) if sign.isdigit() else UPN_LETTERS.index(sign))
    return UPN_LETTERS[total % 23] == number[0]


def uln_holds(number: str) -> bool:
    """Sum of the ten digits by weights 10..1 leaves 10 when divided by 11 (Learning Records Service)."""
    return sum(int(digit) * weight for digit, weight in zip(number, range(10, 0, -1), strict=True)) % 11 == 10


def pnc_holds(number: str) -> bool:
    """Check letter of YYYY/NNNNNNNL: two-digit year and serial as one number, mod 23 (PNC user manual)."""
    return PNC_LETTERS[int(number[2:4] + number[5:12]) % 23] == number[12]


def utr_holds(number: str) -> bool:
    """First digit from the nine after it (HMRC unique taxpayer reference)."""
    total = sum(int(digit) * weight for digit, weight in zip(number[1:], UTR_WEIGHTS, strict=True))
    return UTR_DIGITS[total % 11] == number[0]


def vat_holds(number: str) -> bool:
    """Mod 97 of the first nine digits, plain or with 55 added (HMRC); GD and HA numbers by their range."""
    if len(number) == 5:
        return (number < "GD500") if number.startswith("GD") else number >= "HA500"
    total = sum(int(digit) * weight for digit, weight in zip(number, VAT_WEIGHTS, strict=False))
    return total % 97 in (0, 42)


def company_number_holds(number: str) -> bool:
    """Any number but nought (no check digit)."""
    return number != "00000000"


def _tidy_pnc(text: str) -> str:
    year, slash, rest = text.partition("/")
    if not slash:
        # Without a slash the two parts can only be told apart when fully written.
        year, rest = (
            (text[:4], text[4:]) if len(text) == 12 else (text[:2], text[2:]) if len(text) == 10 else ("", "")
        )
    if len(year) == 2:
        year = ("19" if year >= "50" else "20") + year
    return f"{year}/{rest.zfill(8)}"


def _tidy_postcode(text: str) -> str:
    return f"{text[:-3]} {text[-3:]}"


def _tidy_company(text: str) -> str:
    if text[:1].isdigit():
        return text.zfill(8)
    if re.fullmatch("[A-Z]{2}[0-9]{1,5}", text):
        return text[:2] + text[2:].zfill(6)
    return text


def _tidy_uprn(text: str) -> str:
    return text.lstrip("0")


def _tidy_sic(text: str) -> str:
    return text.replace(".", "").replace("/", "")


def _tidy_utr(text: str) -> str:
    return text.removesuffix("K").removeprefix("K")


def _tidy_vat(text: str) -> str:
    return text[2:] if text[:2] in ("GB", "XI") else text


_ALL: Final = (
    Kind("nhs-number", "NHS number", "[0-9]{10}", "ten digits, the last a check digit", "943 476 5919",
         check=nhs_number_holds),
    Kind("nino", "National Insurance number", f"(?:{_NINO_PREFIX})[0-9]{{6}}[A-D]",
         "two letters, six digits and a letter from A to D", "AB 12 34 56 C"),
    Kind("upn", "unique pupil number", f"[{UPN_LETTERS}][0-9]{{11}}[0-9{UPN_LETTERS}]",
         "a check letter and twelve more characters (a temporary one ends in a letter)", "H801200001001",
         check=upn_holds),
    Kind("uln", "unique learner number", "[1-9][0-9]{9}", "ten digits, the last a check digit", "9276308686",
         check=uln_holds),
    Kind("pnc-id", "PNC identifier", "[0-9]{4}/[0-9]{7}[ABCDEFGHJKLMNPQRTUVWXYZ]",
         "year/serial and a check letter", "2008/0056112M", tidy=_tidy_pnc, check=pnc_holds),
    Kind("uprn", "unique property reference number", "[1-9][0-9]{0,11}", "up to twelve digits",
         "100023336956", tidy=_tidy_uprn),
    Kind("postcode", "postcode", f"(?:{_OUTWARD}) {_INWARD}|GIR 0AA", "a full postcode", "SW1A 1AA",
         tidy=_tidy_postcode),
    Kind("company-number", "company number",
         "[0-9]{8}"
         f"|(?:{'|'.join(COMPANY_PREFIXES)})[0-9]{{6}}|(?:IP|SP|NP|NO|RS|SA|SI|NA)[0-9]{{5}}R|R[0-9]{{7}}",
         "eight characters: digits, or two letters and six digits", "SC123456",
         tidy=_tidy_company, check=company_number_holds),
    Kind("gss-code", "GSS code", "[EWSNKJ][0-9]{8}", "a letter and eight digits", "E01007329"),
    Kind("sic", "SIC 2007 code", f"(?:{_DIVISIONS})[0-9]{{3}}", "five digits of SIC 2007", "84.11/0",
         tidy=_tidy_sic),
    Kind("utr", "unique taxpayer reference", "[0-9]{10}", "ten digits, the first a check digit", "1955839661",
         tidy=_tidy_utr, check=utr_holds),
    Kind("vat", "VAT number", "[0-9]{9}|[0-9]{12}|(?:GD|HA)[0-9]{3}",
         "nine digits, the last two check digits", "GB 980 7806 84", tidy=_tidy_vat, check=vat_holds),
)  # fmt: skip
#: Every kind of identifier by its name in contracts.
KINDS: Final[dict[str, Kind]] = {kind.name: kind for kind in _ALL}
_CANONICAL: Final = {kind.name: re.compile(kind.canonical) for kind in _ALL}


def normalise(kind: str, text: str) -> str | None:
    """The canonical form of an identifier, or None when `text` is not one of that kind.

    >>> normalise("nhs-number", "943 476-5919")
    '9434765919'

    Raises:
        KeyError: when the kind is not in KINDS.
    """
    rule = KINDS[kind]
    tidy = text.translate(_UPPER)
    if rule.tidy is not None:
        tidy = rule.tidy(tidy)
    if _CANONICAL[kind].fullmatch(tidy) is None:
        return None
    return tidy if rule.check is None or rule.check(tidy) else None


def is_valid(kind: str, text: str) -> bool:
    """Whether `text` is an identifier of that kind, however it is spaced."""
    return normalise(kind, text) is not None


def display(kind: str, canonical: str) -> str:
    """The form people read: NHS numbers as 3-3-4, National Insurance numbers in pairs, others as stored."""
    if kind == "nhs-number":
        return f"{canonical[:3]} {canonical[3:6]} {canonical[6:]}"
    if kind == "nino":
        return " ".join((canonical[:2], canonical[2:4], canonical[4:6], canonical[6:8], canonical[8:]))
    return canonical
