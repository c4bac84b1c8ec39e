"""The register map as SystemRDL 2.0."""

from .map import ADDRESS_BITS, ALL_REGISTERS, GROUPS, VERSION, Access

PROPERTIES = {
    Access.CONSTANT: "sw = r; hw = w;",
    Access.STATE: "sw = r; hw = w;",
    Access.SETTING: "sw = rw; hw = r;",
    Access.LOCKABLE: "sw = rw; hw = r; swwel;",
    Access.COMMAND: "sw = w; hw = r; singlepulse;",
    Access.EVENT: "sw = rw; onwrite = woclr; hw = rw; hwset;",
    Access.ENTRY: "sw = w; hw = r; swmod;",
}


def rdl(groups=GROUPS):
    """Write the register map as SystemRDL.

    Parameters
    ----------
    groups : sequence of Group

    Returns
    -------
    str
    """
    enumerations = {field.values for register in ALL_REGISTERS for field in register.fields
                    if field.values}
    lines = ["// Generated from hw/registers/map.py by `mixdit dev registers`.",
             "// Do not edit.", ""]
    for values in sorted(enumerations, key=lambda values: values.__name__):
        lines += [f"enum {values.__name__} {{",
                  *(_value(member) for member in values), "};", ""]
    lines += [
        "addrmap mixdit {",
        '    name = "MixDiT";',
        f'    desc = "Register map, version {VERSION >> 16}.{VERSION & 0xFFFF}; AXI4-Lite, '
        f'{ADDRESS_BITS}-bit addresses.";',
        "    default regwidth = 32;",
        "    default accesswidth = 32;",
        "    littleendian;",
    ]
    for group in groups:
        lines += ["", f"    // {group.title}. {group.doc}"]
        lines += [line for register in group.registers for line in _register(register)]
    return "\n".join([*lines, "};", ""])


def _value(member):
    doc = getattr(member, "doc", None)  # not every enumeration explains its members
    described = f" {{ desc = {_string(doc)}; }}" if doc else ""
    return f"    {member.name} = {member.value}{described};"


def _register(register):
    yield "    reg {"
    yield f"        desc = {_string(register.doc)};"
    for field in register.fields:
        last = field.low + field.width - 1
        encode = f" encode = {field.values.__name__};" if field.values else ""
        reset = ""
        # A pulse rests at zero; what hardware drives or takes at once holds nothing to reset.
        if register.reset is not None and register.access is not Access.ENTRY:
            reset = f" = {(register.reset & field.mask) >> field.low:#x}"
        yield (f"        field {{ {PROPERTIES[register.access]}{encode} "
               f"desc = {_string(field.doc)}; }} {field.name}[{last}:{field.low}]{reset};")
    yield f"    }} {register.name} @ 0x{register.address:03X};"


def _string(text):
    return '"' + text.replace('"', '\\"') + '"'
