"""The check ``file_structure``: can every record of a raw file be read?

Engines read a short row as empty values and fail a whole file for one byte, so nothing but the structure pass says
what is wrong with a file, and where. A few damaged records do not make a file useless: staging puts them into the
quarantine.
"""

from __future__ import annotations

from nequi_lake.formats import ShareLimit, Structure
from nequi_lake.lake.check import Check

FILE_STRUCTURE = "file_structure"


def structure_check(subject: str, structure: Structure, limit: ShareLimit) -> Check:
    """Return the check of a file.

    Args:
        subject: the file, ``<dataset>/<file>``.
        structure: what the structure pass found.
        limit: how many records may be damaged: up to it they are a warning.
    """
    is_readable = structure.is_readable(limit)
    found = f"{structure.records:,} records" + (f" on {structure.lines:,} lines" if structure.lines else "")
    if structure.damaged:
        share = structure.damaged / structure.records
        found = f"{structure.damaged:,} of {structure.records:,} records ({share:.2%}) cannot be read"
        found += " and go to the quarantine" if is_readable else f"; {limit.words(structure.records)}"
    if structure.problems:
        shown = "; ".join(map(str, structure.problems))
        more = structure.problem_count - len(structure.problems)
        found = (f"{found}: " if structure.damaged else "") + shown + (f"; and {more:,} more" if more else "")
    return Check(
        name=FILE_STRUCTURE,
        subject=subject,
        passed=structure.is_sound,
        warns=is_readable and not structure.is_sound,
        found=found,
        numbers={
            "records": structure.records,
            "lines": structure.lines,
            "problems": structure.problem_count,
            "damaged_records": structure.damaged,
            "damaged_share_allowed": limit.share,
        },
        fix="Get the file again from its publisher, or fix it there; if its layout changed on purpose, change the "
        "dataset's declaration.",
    )
