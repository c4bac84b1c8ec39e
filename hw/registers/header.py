"""The register map as a C header."""

from golden.memory.faults import Fault

from .codes import StreamFault
from .map import (
    ALL_REGISTERS,
    BUILD,
    COUNTERS,
    GROUPS,
    IDENTIFICATION,
    REGISTER,
    VERSION,
    Access,
)
from .ring_map import BUS_COUNTERS

GUARD = "MIXDIT_REGISTERS_H"


def header(groups=GROUPS):
    """Write the register map as C99: offsets, masks and shifts, enumerations, and lists of them.

    Parameters
    ----------
    groups : sequence of Group

    Returns
    -------
    str
    """
    parts = [
        "/* The register map, generated from hw/registers/map.py by\n"
        " * `mixdit dev registers`.\n"
        " * Do not edit. */",
        f"#ifndef {GUARD}\n#define {GUARD}",
        '#ifdef __cplusplus\nextern "C" {\n#endif',
        f"#define MIXDIT_IDENTIFICATION 0x{IDENTIFICATION:08X}u\n"
        f"#define MIXDIT_VERSION 0x{VERSION:08X}u",
        *(_offsets(group) for group in groups),
        "/* Fields, in place. */\n" + "\n".join(
            line for register in ALL_REGISTERS for line in _fields(register)),
        "/* What settings hold after a reset, where it is not zero. */\n" + "\n".join(
            f"#define MIXDIT_{register.name}_RESET 0x{register.reset:08X}u"
            for register in ALL_REGISTERS if register.reset and register.access in (
                Access.SETTING, Access.LOCKABLE)),
        *(_enumeration(register, field) for register in ALL_REGISTERS
          for field in register.fields if field.values),
        _list("PARAMETERS", "X(member, offset) of every build parameter.", (
            f"X({register.name.lower()}, MIXDIT_REG_{register.name})"
            for register in BUILD if register.name not in ("ID", "VERSION"))),
        _list("COUNTERS", "X(member, offset of its lower half) of every counter.", (
            f"X({name.lower()}, MIXDIT_REG_{name}_LOW)" for name, _ in COUNTERS)),
        _list("BUS_COUNTERS", "X(member, offset) of every counter of the bus.", (
            f"X({name.lower()}, MIXDIT_REG_{name})" for name, _ in BUS_COUNTERS)),
        _list("REFUSALS", "X(code, what must hold).", (
            f'X(MIXDIT_REFUSAL_{code.name}, "{code.doc}")' for code in _refusals())),
        _list("RING_FAULTS", "X(code, what must hold, or what happened).", (
            f'X(MIXDIT_RING_STATUS_FAULT_{fault.name}, "{fault.doc}")' for fault in Fault)),
        _list("FAULTS", "X(flag, what is wrong).", (
            f'X(MIXDIT_JOB_FAULTS_{fault.name}_MASK, "{fault.doc}")' for fault in StreamFault)),
        "#ifdef __cplusplus\n}\n#endif",
        f"#endif /* {GUARD} */",
    ]
    return "\n\n".join(parts) + "\n"


def _offsets(group):
    lines = [f"/* {group.title}. {group.doc} */"]
    lines += [f"#define MIXDIT_REG_{register.name} 0x{register.address:03X}u /* {register.doc} */"
              for register in group.registers]
    return "\n".join(lines)


def _fields(register):
    """Define masks and shifts of fields that have names."""
    if register.is_whole:
        return
    for field in register.fields:
        name = f"MIXDIT_{register.name}_{field.name}"
        yield f"#define {name}_SHIFT {field.low} /* {field.doc} */"
        yield f"#define {name}_MASK 0x{field.mask:08X}u"


def _enumeration(register, field):
    """Define the values that a field may have."""
    name = register.name if register.is_whole else f"{register.name}_{field.name}"
    doc = register.doc if register.is_whole else field.doc
    values = [f"    MIXDIT_{name}_{member.name} = {member.value}" for member in field.values]
    return f"/* {doc} */\nenum mixdit_{name.lower()} {{\n" + ",\n".join(values) + "\n};"


def _refusals():
    return REGISTER["REFUSAL"].fields[0].values


def _list(name, doc, entries):
    """Define a macro that gives its argument every entry."""
    lines = " \\\n    ".join([f"#define MIXDIT_{name}(X)", *entries])
    return f"/* {doc} */\n{lines}"
