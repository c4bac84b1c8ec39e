"""The register map as a page of documentation."""

from .register_codes import Refusal, StreamFault
from .registers import GROUPS, VERSION, Access


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
    refusals = [(code.value, code.name, code.doc) for code in Refusal]
    faults = [(fault.bit_length() - 1, fault.name, fault.doc) for fault in StreamFault]
    sections = [
        "# Registers",
        f"Version {VERSION >> 16}.{VERSION & 0xFFFF} of the map, generated from `hw/registers.py` "
        "by `python -m hw.register_files`. Every register is 32 bits wide; bits that are not "
        "listed read as zero. Reading a missing or write-only register, or writing a missing or "
        "read-only one, answers SLVERR and does nothing.",
        _table(("access", "means"), accesses),
    ]
    for group in groups:
        rows = [row for register in group.registers for row in _register_rows(register)]
        sections += [f"## {group.title}", group.doc,
                     _table(("address", "register", "access", "bits", "field", "meaning"), rows)]
    sections += [
        "## Refusals", "A job that is not taken consumes nothing. What must hold:",
        _table(("REFUSAL", "name", "what must hold"), refusals),
        "## Stream faults", "A job whose packets do not fit runs to its end.",
        _table(("bit", "name", "what is wrong"), faults),
    ]
    return "\n\n".join(sections) + "\n"


def _register_rows(register):
    """Make a row for a register, and one more for each of its fields if they have names."""
    head = (f"0x{register.address:03X}", register.name, register.access.name.lower())
    if register.is_whole:
        field = register.fields[0]
        return [(*head, _bits(field), "", register.doc + _values(field))]
    rows = [(*head, "", "", register.doc)]
    return rows + [("", "", "", _bits(field), field.name, field.doc + _values(field))
                   for field in register.fields]


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
