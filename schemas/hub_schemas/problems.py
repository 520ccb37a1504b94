"""What is wrong with a contract, all of it at once."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ContractError", "Problem"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a contract: where it stands and what to do about it."""

    place: str
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"


class ContractError(ValueError):
    """A contract cannot be used. `problems` holds everything found, each with its place."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in problems))
