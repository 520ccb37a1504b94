"""The audit log."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from hub.web.pages.basis import Page

if TYPE_CHECKING:
    from hub.audit.log import Entry, Verification
    from hub.web.forms_audit import AuditFilter

__all__ = ["AuditLine", "AuditPage", "Checkpoint"]


@dataclass(frozen=True)
class AuditLine:
    """An entry with the name of who acted; reason is given only to those who may read it."""

    entry: Entry
    who: str
    reason: str = ""


@dataclass(frozen=True)
class Checkpoint:
    """The newest signed checkpoint: the size of the log it covers, and its root in base64."""

    size: int
    root: str


@dataclass(frozen=True, kw_only=True)
class AuditPage(Page):
    """The newest entries, and whether the log holds.

    verification is None where it was not asked for; older is the entry to go on from. action is the one kind of act
    that is shown, empty for all; actor and who are the reference and name of the one whose acts are shown; form holds
    the filter as it was filled in. public says that strangers may fetch checkpoints.
    """

    template: ClassVar[str] = "pages/audit.html"
    section: ClassVar[str] = "audit"

    entries: tuple[AuditLine, ...]
    checkpoint: Checkpoint | None = None
    verification: Verification | None = None
    verified_at: datetime | None = None
    older: int | None = None
    action: str = ""
    actor: str = ""
    who: str = ""
    form: AuditFilter | None = None
    public: bool = False

    @property
    def title(self) -> str:
        """Heading."""
        return "Audit log"

    def going_on(self, **changes: object) -> dict[str, object]:
        """What the address of this list says, with changes: for links to older entries and to narrower lists."""
        typed = self.form.day.typed if self.form is not None else {}
        said: dict[str, object] = {"action": self.action, "actor": self.actor}
        said |= {f"day-{part}": text for part, text in typed.items()}
        return {name: value for name, value in (said | changes).items() if value}

    @property
    def is_narrowed(self) -> bool:
        """Whether some entries are left out by choice."""
        return bool(self.going_on())
