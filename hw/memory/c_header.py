"""The fields of a descriptor as a C header."""

from golden.memory.descriptor import (
    ALIGNMENT,
    BYTES,
    FIELDS,
    VERSION,
    WORD_BYTES,
    WORDS,
    Operation,
)

GUARD = "MIXDIT_DESCRIPTOR_H"
WORD_BITS = 8 * WORD_BYTES
WRITTEN = tuple(field for field in FIELDS if field.name != "VERSION")
"""What a command says; the version is the header's own."""


def header():
    """Write the descriptor as C99: where each field lies, a struct of them, and lists.

    Returns
    -------
    str
    """
    parts = [
        "/* Descriptors of commands, generated from golden/memory/descriptor.py by\n"
        " * `mixdit dev commands`.\n"
        " * Do not edit. */",
        f"#ifndef {GUARD}\n#define {GUARD}\n\n#include <stdint.h>",
        '#ifdef __cplusplus\nextern "C" {\n#endif',
        f"#define MIXDIT_DESCRIPTOR_BYTES {BYTES}u\n"
        f"#define MIXDIT_DESCRIPTOR_WORDS {WORDS}u\n"
        f"#define MIXDIT_DESCRIPTOR_ALIGNMENT {ALIGNMENT}u /* of all that is packed, too */\n"
        f"#define MIXDIT_DESCRIPTOR_VERSION {VERSION}u",
        "/* What a command does; 0 is none. */\nenum mixdit_operation {\n" + ",\n".join(
            f"    MIXDIT_OPERATION_{each.name} = {each.value}" for each in Operation) + "\n};",
        "/* Fields: their word, and the bits of it; of 64 bits two words, the lower first. */\n"
        + "\n".join(line for field in FIELDS for line in _places(field)),
        "/* A command: every field but VERSION. What is left out is 0. */\n"
        "struct mixdit_command {\n" + "\n".join(_member(field) for field in WRITTEN) + "\n};",
        _list("FIELDS", "X(member, word, shift, width, operations that have it: bit o for o) of "
              "every field.", (
                  f"X({field.name.lower()}, {field.word}u, {field.low}u, {field.width}u, "
                  f"0x{sum(1 << each.value for each in field.operations):X}u)"
                  for field in WRITTEN)),
        "#ifdef __cplusplus\n}\n#endif",
        f"#endif /* {GUARD} */",
    ]
    return "\n\n".join(parts) + "\n"


def _places(field):
    """Define where a field lies."""
    name = f"MIXDIT_DESCRIPTOR_{field.name}"
    yield f"#define {name}_WORD {field.word}u /* {field.doc} */"
    if field.width <= WORD_BITS:
        yield f"#define {name}_SHIFT {field.low}"
        yield f"#define {name}_MASK 0x{(1 << field.width) - 1 << field.low:08X}u"


def _member(field):
    """Declare a field as wide as C has it."""
    kind = "uint64_t" if field.width > WORD_BITS else "uint32_t"
    return f"    {kind} {field.name.lower()}; /* {field.doc} */"


def _list(name, doc, entries):
    """Define a macro that gives its argument every entry."""
    lines = " \\\n    ".join([f"#define MIXDIT_DESCRIPTOR_{name}(X)", *entries])
    return f"/* {doc} */\n{lines}"
