r"""Patterns: the part of regular expressions in which every engine says the same.

A contract's pattern is read by a parser of our own and written out again, once for RE2 (single records) and
once for the Rust engine inside polars (columns). Both run in linear time. What they would read differently
is made explicit (\d \w \s \b are ASCII, `.` is anything but a line feed) or refused: look-around,
back-references, named groups, flags, Unicode properties. A pattern must match the whole value; ^ and $ at
its ends say so and are dropped.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

__all__ = ["Pattern", "PatternError", "compile_pattern"]

MAX_LENGTH: Final = 500
MAX_REPEAT: Final = 1000
MAX_SIZE: Final = 2000
MAX_DEPTH: Final = 20

_CLASSES: Final = {"d": "0-9", "w": "0-9A-Za-z_", "s": "\\x{9}-\\x{d}\\x{20}"}
_CONTROLS: Final = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "v": "\v"}
_CODE: Final = re.compile(r"\\x\{([0-9a-f]+)\}")
_PLAIN: Final = " !\"#%',/:;<=>@_`~"
_WORD_BOUNDARY: Final = "\0"  # a mark no rendered literal can hold; replaced for each engine


class PatternError(ValueError):
    """A pattern is not in the supported part; the message says what and where."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern for each engine. `re2` is for `re2.fullmatch`; `rust` carries its own anchors.

    `portable` is for documents: no anchors, and spelt so that Python, ECMAScript and XML Schema read it alike.
    """

    re2: str
    rust: str
    portable: str


def compile_pattern(source: str) -> Pattern:
    """The pattern in both engines' words.

    Raises:
        PatternError: when the pattern is malformed, too large, or outside the supported part.
    """
    parser = _Parser(source)
    body = parser.whole()
    pattern = Pattern(
        re2=body.replace(_WORD_BOUNDARY, "\\b"),
        rust="\\A(?:" + body.replace(_WORD_BOUNDARY, "(?-u:\\b)") + ")\\z",
        portable=_CODE.sub(_readable, body).replace(_WORD_BOUNDARY, "\\b"),
    )
    _must_compile(pattern)
    return pattern


def _must_compile(pattern: Pattern) -> None:
    import re2

    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(pattern.re2, options)
    except re2.error as error:
        reason = error.args[0].decode() if error.args and isinstance(error.args[0], bytes) else str(error)
        raise PatternError(f"the pattern cannot be compiled ({reason})") from None


def _readable(code: re.Match[str]) -> str:
    sign = chr(int(code[1], 16))
    if sign.isascii() and sign.isprintable():
        return sign if sign in _PLAIN else f"\\{sign}"
    return sign if sign.isprintable() else f"\\u{ord(sign):04x}"


def _literal(sign: str) -> str:
    return sign if sign.isascii() and sign.isalnum() else f"\\x{{{ord(sign):x}}}"


class _Parser:
    """Recursive descent over one pattern; `size` bounds the automaton that repetitions would unfold to."""

    def __init__(self, source: str) -> None:
        if not source:
            raise PatternError("the pattern is empty")
        if len(source) > MAX_LENGTH:
            raise PatternError(f"the pattern is longer than {MAX_LENGTH} characters")
        if any(0xD800 <= ord(sign) <= 0xDFFF for sign in source):
            raise PatternError("the pattern holds half a surrogate pair")
        self.text, self.at, self.depth = source, 0, 0

    def fail(self, message: str) -> PatternError:
        return PatternError(f"at character {self.at + 1}: {message}")

    def peek(self, width: int = 1) -> str:
        return self.text[self.at : self.at + width]

    def whole(self) -> str:
        anchored = self.peek() == "^"
        self.at += anchored
        body, _, top_level_choice = self.choice()
        if self.peek() == "$":
            anchored = True
            self.at += 1
        if self.at < len(self.text):
            raise self.fail("unmatched )" if self.peek() == ")" else "^ may stand only first and $ only last")
        if anchored and top_level_choice:
            raise self.fail("write ^(a|b)$ for a choice between whole values")
        return body

    def choice(self) -> tuple[str, int, bool]:
        """One or more sequences parted by |. Returns text, size, and whether there was a |."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.fail(f"groups nested more than {MAX_DEPTH} deep")
        texts, size = [], 0
        while True:
            text, part = self.sequence()
            texts.append(text)
            size += part + 1
            if self.peek() != "|":
                break
            self.at += 1
        self.depth -= 1
        return "|".join(texts), size, len(texts) > 1

    def sequence(self) -> tuple[str, int]:
        texts, size = [], 0
        while self.at < len(self.text) and self.peek() not in "|)$":
            text, part = self.repeated()
            texts.append(text)
            size += part
            if size > MAX_SIZE:
                raise self.fail(f"the pattern unfolds to more than {MAX_SIZE} steps; use shorter repetitions")
        return "".join(texts), size

    def repeated(self) -> tuple[str, int]:
        boundary = self.peek(2) == "\\b"
        text, size = self.atom()
        if self.peek() not in tuple("*+?{"):
            return text, size
        if boundary:
            raise self.fail("\\b cannot be repeated")
        quantifier, factor = self.quantifier()
        if self.peek() == "?":
            self.at += 1  # a lazy repetition matches the same whole values
        if self.peek() in tuple("*+?{"):
            raise self.fail("a repetition of a repetition is not supported")
        return text + quantifier, size * factor + 1

    def quantifier(self) -> tuple[str, int]:
        sign = self.peek()
        self.at += 1
        if sign != "{":
            return sign, 1
        low, comma, high = self.number(), self.peek() == ",", None
        if low is None:
            raise self.fail("a number must follow {; write \\{ for the sign itself")
        self.at += comma
        if comma:
            high = self.number()
        if self.peek() != "}":
            raise self.fail("} expected; write \\{ for the sign itself")
        self.at += 1
        most = high if high is not None else low
        if most > MAX_REPEAT or most < low:
            raise self.fail(f"a repetition runs from its lower to its upper bound, at most {MAX_REPEAT}")
        text = f"{{{low}}}" if not comma else f"{{{low},{'' if high is None else high}}}"
        return text, max(most, 1) + (1 if comma and high is None else 0)

    def number(self) -> int | None:
        start = self.at
        while self.peek() and self.peek() in "0123456789" and self.at - start < 6:
            self.at += 1
        return int(self.text[start : self.at]) if self.at > start else None

    def atom(self) -> tuple[str, int]:
        sign = self.peek()
        if sign == "(":
            return self.group()
        if sign == "[":
            return self.character_class(), 1
        if sign == "\\":
            return self.escape()
        if sign in "*+?{}]^":
            raise self.fail(f"{sign!r} is misplaced; write \\{sign} for the sign itself")
        self.at += 1
        return ("[^\\x{a}]" if sign == "." else _literal(sign)), 1

    def group(self) -> tuple[str, int]:
        self.at += 1
        if self.peek() == "?":
            if self.peek(2) != "?:":
                raise self.fail(
                    "only plain groups ( ) and (?: ) are supported: no look-around, names or flags"
                )
            self.at += 2
        text, size, _ = self.choice()
        if self.peek() != ")":
            raise self.fail("^ and $ may stand only at the ends" if self.peek() == "$" else ") expected")
        self.at += 1
        return f"(?:{text})", size

    def escape(self) -> tuple[str, int]:
        name = self.text[self.at + 1 : self.at + 2]
        if name == "b":
            self.at += 2
            return _WORD_BOUNDARY, 1
        if name.lower() in _CLASSES and name:
            self.at += 2
            return f"[{'^' if name.isupper() else ''}{_CLASSES[name.lower()]}]", 1
        if name in _CONTROLS:
            self.at += 2
            return _literal(_CONTROLS[name]), 1
        return _literal(self.escaped_sign()), 1

    def escaped_sign(self) -> str:
        name = self.text[self.at + 1 : self.at + 2]
        if name in ("x", "u"):
            width = 2 if name == "x" else 4
            digits = self.text[self.at + 2 : self.at + 2 + width]
            if len(digits) < width or any(digit not in "0123456789abcdefABCDEF" for digit in digits):
                raise self.fail(f"\\{name} needs {width} hexadecimal digits")
            if 0xD800 <= int(digits, 16) <= 0xDFFF:
                raise self.fail("half a surrogate pair")
            self.at += 2 + width
            return chr(int(digits, 16))
        if not name or name.isalnum() or not name.isascii():
            raise self.fail(
                f"\\{name} is not supported (Unicode properties, back-references and the like are not)"
            )
        self.at += 2
        return name

    def class_member(self) -> tuple[str, str | None]:
        """One member: (rendered, sign), where sign is None for the short classes."""
        if self.peek() == "":
            raise self.fail("] expected")
        if self.peek() != "\\":
            if self.peek(2) in ("[:", "[.", "[=") or self.peek(2) in ("&&", "--", "~~"):
                raise self.fail("set operations and [:names:] are not supported in a class")
            sign = self.peek()
            self.at += 1
            return _literal(sign), sign
        name = self.text[self.at + 1 : self.at + 2]
        if name in _CLASSES:
            self.at += 2
            return _CLASSES[name], None
        if name in _CONTROLS:
            self.at += 2
            return _literal(_CONTROLS[name]), _CONTROLS[name]
        sign = self.escaped_sign()
        return _literal(sign), sign

    def character_class(self) -> str:
        self.at += 1
        negated = self.peek() == "^"
        self.at += negated
        members: list[str] = []
        while self.peek() != "]" or not members:
            if self.peek() == "]":
                raise self.fail("an empty class matches nothing; write \\] for the sign itself")
            text, sign = self.class_member()
            if self.peek() == "-" and self.peek(2) != "-]":
                self.at += 1
                _, last = self.class_member()
                if sign is None or last is None or ord(last) < ord(sign):
                    raise self.fail(
                        "a range runs from a lower to a higher sign; put - last for the sign itself"
                    )
                text += f"-{_literal(last)}"
            members.append(text)
        self.at += 1
        return f"[{'^' if negated else ''}{''.join(members)}]"
