"""The four answers a need can have, and how they add up to eligibility.

Answers follow three-valued logic with one distinction more: where the answer is open, it says whether that
is because the source does not reach (`SOURCE NOT COVERED`, mend it with the department) or because the
source reaches but holds nothing that could tell about this household (`NO DATA`, ask the family or the
service).
"""

from __future__ import annotations

MET = "met"
NOT_MET = "not met"
NO_DATA = "no data"
SOURCE_NOT_COVERED = "source not covered"
ANSWERS = (MET, NOT_MET, NO_DATA, SOURCE_NOT_COVERED)
OPEN = (NO_DATA, SOURCE_NOT_COVERED)

YES = "yes"
NO = "no"
CANNOT_TELL = "cannot tell"
ELIGIBILITY = (YES, NO, CANNOT_TELL)

# The answer of a criterion is the first of these that any of its indicators gives: one indicator met is
# enough, and a criterion is "not met" only when every one of its indicators is known not to be.
PRECEDENCE = (MET, SOURCE_NOT_COVERED, NO_DATA, NOT_MET)
