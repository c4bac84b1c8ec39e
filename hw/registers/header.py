"""The register map as a C header."""

from .codes import StreamFault
from .map import BUILD, COUNTERS, GROUPS, IDENTIFICATION, REGISTERS, VERSION

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
            line for register in REGISTERS for line in _fields(register)),
        *(_enumeration(register) for register in REGISTERS if register.fields[0].values),
        _list("PARAMETERS", "X(member, offset) of every build parameter.", (
            f"X({register.name.lower()}, MIXDIT_REG_{register.name})"
            for register in BUILD if register.name not in ("ID", "VERSION"))),
        _list("COUNTERS", "X(member, offset of its lower half) of every counter.", (
            f"X({name.lower()}, MIXDIT_REG_{name}_LOW)" for name, _ in COUNTERS)),
        _list("REFUSALS", "X(code, what must hold).", (
            f'X(MIXDIT_REFUSAL_{code.name}, "{code.doc}")' for code in _refusals())),
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


def _enumeration(register):
    """Define the values that a register may have."""
    values = [f"    MIXDIT_{register.name}_{member.name} = {member.value}"
              for member in register.fields[0].values]
    return (f"/* {register.doc} */\nenum mixdit_{register.name.lower()} {{\n"
            + ",\n".join(values) + "\n};")


def _refusals():
    return next(register.fields[0].values for register in REGISTERS if register.name == "REFUSAL")


def _list(name, doc, entries):
    """Define a macro that gives its argument every entry."""
    lines = " \\\n    ".join([f"#define MIXDIT_{name}(X)", *entries])
    return f"/* {doc} */\n{lines}"
