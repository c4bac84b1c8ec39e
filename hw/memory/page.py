"""The tables of docs/commands.md and the C header of descriptors, made from their data."""

from pathlib import Path

from commands.checkout import require_checkout
from commands.outputs import check_file, write_if_changed
from commands.running import sentences
from commands.terminal import make_console
from golden.memory.descriptor import BYTES, FIELDS, WORD_BYTES, Command, Operation
from golden.memory.faults import Fault
from golden.memory.jobs import FORMAT_CODES, JobKind, Output, Selection

from .c_header import header

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "commands.md"
HEADER = ROOT / "hw" / "host" / "c" / "mixdit_descriptor.h"

END = "<!-- end -->\n"

EXAMPLE = Command(
    interrupt=1, wait_a=1, kind=JobKind.GEMM, format=FORMAT_CODES["fp16"], output=Output.FP32,
    flags=1, selection=Selection.TOP, m=64, n=1152, k=1152, tiles=8, units=3, count_0=1, count_1=1,
    a=0x8000_0000, b=0x8010_0000, c=0x8020_0000, bias=0x8008_0000, a_stride=2304, b_stride=6976,
    c_stride=4608)
"""A linear layer whose activations the command before it has written."""


def fields_table():
    """List the fields of a descriptor."""
    lines = ["| byte | bits | field | of | V | |", "|---:|---|---|---|---|---|"]
    for field in FIELDS:
        of = "all" if set(field.operations) == set(Operation) else ", ".join(
            operation.name for operation in field.operations)
        last = field.low + field.width - 1
        bits = f"{last}:{field.low}" if field.width > 1 else f"{field.low}"
        at = field.word * WORD_BYTES
        mark = "V" if field.of_vector else ""
        lines.append(f"| {at} | {bits} | `{field.name}` | {of} | {mark} | {field.doc} |")
    return "\n".join(lines) + "\n"


def faults_table():
    """List what stops the ring."""
    lines = ["| code | fault | what must hold, or what happened |", "|---:|---|---|"]
    lines += [f"| {fault.value} | {fault.name} | {fault.doc[0].upper()}{fault.doc[1:]}. |"
              for fault in Fault if fault is not Fault.NONE]
    return "\n".join(lines) + "\n"


def example():
    """Show the bytes of a descriptor, the words that are zero left out."""
    packed = EXAMPLE.pack()
    lines = ["```"]
    for at in range(0, BYTES, 4 * WORD_BYTES):
        row = packed[at : at + 4 * WORD_BYTES]
        if any(row):
            lines.append(f"{at:02X}: " + "  ".join(
                row[word : word + WORD_BYTES].hex(" ").upper() for word in range(0, 16, 4)))
    return "\n".join([*lines, "```"]) + "\n"


TABLES = {"fields": fields_table, "faults": faults_table, "example": example}


def page(text):
    """Put each table between its marks."""
    for name, make in TABLES.items():
        mark = f"<!-- {name}: `mixdit dev commands` -->\n"
        head, found, rest = text.partition(mark)
        _, closes, tail = rest.partition(END)
        if not found or not closes:
            raise ValueError(f"{PAGE} has no place for {name}")
        text = f"{head}{mark}\n{make()}\n{END}{tail}"
    return text


def texts():
    """Return what each file should hold.

    Returns
    -------
    dict of pathlib.Path to str
    """
    return {PAGE: page(PAGE.read_text(encoding="utf-8")), HEADER: header()}


def main():
    """Write the tables of docs/commands.md, and the C header of descriptors.

    Example: mixdit dev commands
    """
    with sentences():
        require_checkout()
        for path in (PAGE, HEADER):
            check_file(path)
        for path, text in texts().items():
            changed = write_if_changed(path, text)
            make_console().print(
                f"{path.relative_to(ROOT)}: {'written' if changed else 'unchanged'}")
