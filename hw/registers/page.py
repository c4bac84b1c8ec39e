"""The register map as a page of documentation."""

from hw.contract.job_codes import JobKind, Selection

from .codes import JobFlag, Refusal, StreamFault
from .job_rules import CHECKS, USES
from .map import GROUPS, OF_A_HOST, RING, VERSION, Access


def page(groups=GROUPS):
    """Write the register map as Markdown.

    Parameters
    ----------
    groups : sequence of Group

    Returns
    -------
    str
    """
    accesses = [(access.name.lower(), access.value) for access in Access]
    refusals = [(code.value, code.name, code.doc) for code in CHECKS]
    faults = [(fault.bit_length() - 1, fault.name, fault.doc) for fault in StreamFault]
    sections = [
        "# Registers",
        f"Version {VERSION >> 16}.{VERSION & 0xFFFF} of the map, generated from "
        "`hw/registers/map.py` "
        "by `mixdit dev registers`. Every register is 32 bits wide; bits that are not "
        "listed read as zero and may be written with anything. The two lowest bits of an address "
        "count for nothing; byte strobes count. Reading a missing or write-only register, or "
        "writing a missing or read-only one, answers SLVERR and does nothing. A machine between "
        "streams has no registers of the bus, and a machine with a bus none of what its commands "
        "say: column *of*.",
        _table(("access", "means"), accesses),
    ]
    for group in groups:
        rows = [row for register in group.registers for row in _register_rows(register)]
        sections += [f"## {group.title}", group.doc,
                     _table(("address", "register", "of", "access", "reset", "bits", "field",
                             "meaning"), rows)]
    sections += [
        "## What a job looks at",
        "JOB_KIND says what the other registers mean. What a job does not look at, marked -, may "
        "hold anything; what must be 0 is refused otherwise, as BAD_COMBINATION.",
        _table(("", *(kind.name for kind in JobKind)), [_use_row(use) for use in USES]),
        "## Refusals",
        "A job that is not taken consumes nothing. What must hold, in the order in which it is "
        "checked: REFUSAL names the first that does not.",
        _table(("REFUSAL", "name", "what must hold"), refusals),
        f"REFUSAL reads {Refusal.NONE.value} ({Refusal.NONE.name}) when {Refusal.NONE.doc}.",
        "## Stream faults", "A job whose packets do not fit runs to its end.",
        _table(("bit", "name", "what is wrong"), faults),
    ]
    return "\n\n".join(sections) + "\n"


def _use_row(use):
    """Say which kinds of jobs look at a register or a flag, and when."""
    conditions = [selection.name for selection in Selection if selection in use.selections]
    if use.flag:
        conditions.append(use.flag.name)
    reads = "with " + " or ".join(conditions) if conditions else "yes"
    leaves = "must be 0" if use.others_zero else "-"
    name = f"flag {use.name}" if use.name in JobFlag.__members__ else f"JOB_{use.name}"
    return name, *(reads if kind in use.kinds else leaves for kind in JobKind)


def _register_rows(register):
    """Make a row for a register, and one more for each of its fields if they have names."""
    head = (f"0x{register.address:03X}", register.name, _machines(register),
            register.access.name.lower(), _reset(register))
    if register.is_whole:
        field = register.fields[0]
        return [(*head, _bits(field), "", register.doc + _values(field))]
    rows = [(*head, "", "", register.doc)]
    return rows + [("", "", "", "", "", _bits(field), field.name, field.doc + _values(field))
                   for field in register.fields]


def _machines(register):
    """Say which machines have a register."""
    return "bus" if register in RING else "streams" if register in OF_A_HOST else "both"


def _reset(register):
    """Say what a register that software sets holds after a reset."""
    if register.access not in (Access.SETTING, Access.LOCKABLE, Access.EVENT):
        return ""
    return f"0x{register.reset:X}" if register.reset > 9 else str(register.reset)


def _bits(field):
    """Name a field's bits as data sheets do."""
    last = field.low + field.width - 1
    return f"{last}:{field.low}" if field.width > 1 else f"{last}"


def _values(field):
    """List a field's named values, unless they have a table of their own."""
    if field.values in (None, Refusal):
        return ""
    return " " + ", ".join(f"{member.value} {member.name}" for member in field.values) + "."


def _table(titles, rows):
    """Write a Markdown table."""
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
