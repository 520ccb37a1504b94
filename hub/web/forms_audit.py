"""The filter above the audit log."""

from __future__ import annotations

from wtforms import StringField
from wtforms.validators import Length

from hub.web.forms import DateField, Form

__all__ = ["AuditFilter"]


class AuditFilter(Form):
    """Which entries are shown: of one act, of one day. It changes nothing, so it travels in the address."""

    class Meta(Form.Meta):
        """No token against cross-site requests: nothing is changed."""

        csrf = False

    action = StringField("Act", validators=[Length(max=64)])
    day = DateField("Day")
