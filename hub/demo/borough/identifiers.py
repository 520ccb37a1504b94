"""Identifiers of the synthetic borough: valid in form, chosen so that they belong to nobody.

* **NHS numbers** carry a modulus 11 check digit (weights 10 to 2) and begin with 999, the range set aside
  for tests. The first 899,991 people have numbers from that range, the next 998, 997 and so on (numbers
  beginning with 9 have not been issued to patients).
* **National Insurance numbers** use prefixes that HMRC's manual (NIM39110) lists as administrative: right
  in form, not given to people.
* **UPNs** carry the modulus 23 check letter (weights 2 to 13) and local authority code 899, which no
  authority uses.
* **UPRNs** are twelve digits from 990000000000. No range is reserved for tests; none this high is known to
  be issued.
* **Practice codes** begin with Z9 and **school URNs** with 99, above the codes in use.

Every function is vectorised: it takes an array of person (or address) numbers counted from 0 and returns an
object array of strings of the same length. The maps are one to one, so that no two people share a number.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MOST_PEOPLE = 10_000_000
"""Above this many people UPNs and postcodes would begin to repeat."""

UPN_LETTERS = "ABCDEFGHJKLMNPQRTUVWXYZ"
UPN_AUTHORITY = "899"
NINO_PREFIXES = ("MW", "CR", "PP", "PZ", "NC", "PY")
NINO_SUFFIXES = "ABCD"
FIRST_UPRN = 990_000_000_000

_NHS_BLOCK = 9 * 99_999
"""Nine numbers for each eight digits but 99999999: 9999999999 is right in form and yet no number."""
_NHS_STEP = 389_479
_NINO_STEP = 611_953
_UPN_STEP = 6_180_337
_UPRN_STEP = 14_142_137
_UPRN_SPAN = 1_000_000_007

Ints = NDArray[np.int64]
Texts = NDArray[np.object_]


def _texts(values: NDArray[np.generic]) -> Texts:
    return values.astype(object)


def padded(numbers: Ints, width: int) -> NDArray[np.str_]:
    """Whole numbers of 0 or more as texts of at least `width` digits."""
    # numpy's zfill cannot take an empty array.
    return np.array([f"{number:0{width}d}" for number in numbers.tolist()], dtype=f"U{max(width, 12)}")


def _digits(numbers: Ints, width: int) -> Ints:
    """The decimal digits of each number, most significant first: shape (len(numbers), width)."""
    powers = 10 ** np.arange(width - 1, -1, -1, dtype=np.int64)
    return (numbers[:, None] // powers) % 10


def nhs_numbers(people: Ints) -> Texts:
    """NHS numbers (ten digits, no spaces) of the people numbered `people`.

    The ninth digit is chosen among the nine that never make the check digit 10: for eight leading digits with
    weighted sum s, the sum with ninth digit d is s + 2d, and 10 is needed only where that is 1 modulo 11.
    """
    block, place = np.divmod(np.asarray(people, dtype=np.int64), _NHS_BLOCK)
    shuffled = (place * _NHS_STEP + 271_828) % _NHS_BLOCK
    group, ninth = np.divmod(shuffled, 9)
    eight = (999 - block) * 100_000 + group
    total = _digits(eight, 8) @ np.arange(10, 2, -1, dtype=np.int64)
    bad = ((1 - total) * 6) % 11  # 6 is the inverse of 2 modulo 11; 10 means that no digit is bad
    ninth = np.where(ninth >= bad, ninth + 1, ninth)
    check = (11 - (total + 2 * ninth) % 11) % 11
    return _texts((eight * 100 + ninth * 10 + check).astype("U10"))


def ninos(people: Ints) -> Texts:
    """National Insurance numbers (nine characters, no spaces) of the people numbered `people`."""
    block, place = np.divmod(np.asarray(people, dtype=np.int64), 1_000_000)
    number = (place * _NINO_STEP + 314_159) % 1_000_000
    prefix = np.array(NINO_PREFIXES)[block % len(NINO_PREFIXES)]
    shift = block // len(NINO_PREFIXES)
    suffix = np.array(list(NINO_SUFFIXES))[(number + shift) % 4]
    text = np.char.add(np.char.add(prefix, padded(number, 6)), suffix)
    return _texts(text)


def _upn_check_letters(bodies: NDArray[np.str_], last: Ints) -> NDArray[np.str_]:
    """Check letters for eleven-digit `bodies` followed by a twelfth character of value `last`."""
    digits = _digits(bodies.astype(np.int64), 11)
    total = digits @ np.arange(2, 13, dtype=np.int64) + 13 * last
    return np.array(list(UPN_LETTERS))[total % 23]


def upns(people: Ints, entry_years: Ints) -> Texts:
    """UPNs: check letter, authority, school (4 digits), year of entry (2) and serial number (3)."""
    shuffled = (np.asarray(people, dtype=np.int64) * _UPN_STEP + 161_803) % MOST_PEOPLE
    school, serial = np.divmod(shuffled, 1000)
    tail = (school * 100 + np.asarray(entry_years, dtype=np.int64) % 100) * 1000 + serial
    body = np.char.add(UPN_AUTHORITY, padded(tail, 9))
    letters = _upn_check_letters(np.array([text[:11] for text in body], dtype="U11"), serial % 10)
    return _texts(np.char.add(letters, body))


def temporary_upns(people: Ints, entry_years: Ints) -> Texts:
    """Temporary UPNs, which end in a letter: what a school gives before it knows a pupil's own number."""
    whole = upns(people, entry_years)
    bodies = np.array([text[1:12] for text in whole], dtype="U11")
    values = np.array([int(text[12]) for text in whole], dtype=np.int64)
    ends = np.array(list(UPN_LETTERS))[values]
    return _texts(np.char.add(np.char.add(_upn_check_letters(bodies, values), bodies), ends))


def uprns(addresses: Ints) -> Texts:
    """UPRNs (twelve digits) of the dwellings numbered `addresses`."""
    number = FIRST_UPRN + (np.asarray(addresses, dtype=np.int64) * _UPRN_STEP + 577_215) % _UPRN_SPAN
    return _texts(number.astype("U12"))


def practice_codes(practices: Ints) -> Texts:
    """GP practice codes (letter and five digits) of the practices numbered `practices`, from 0."""
    return _texts(np.char.add("Z", (90_001 + np.asarray(practices, dtype=np.int64)).astype("U5")))


def school_urns(schools: Ints) -> Texts:
    """School URNs (six digits) of the schools numbered `schools`, from 0."""
    return _texts((990_001 + np.asarray(schools, dtype=np.int64)).astype("U6"))
