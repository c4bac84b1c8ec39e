"""The register map as data, and the page, the C header and the SystemRDL made from it."""

import re
import subprocess

import pytest
from systemrdl import RDLCompileError, RDLCompiler
from systemrdl.node import AddrmapNode

from hw.registers import files
from hw.registers.header import header
from hw.registers.job_rules import CHECKS
from hw.registers.map import (
    ADDRESS_BITS,
    ALL_REGISTERS,
    GROUPS,
    REGISTERS,
    RING_REGISTERS,
    Access,
    Command,
    Refusal,
    StreamFault,
)
from hw.registers.page import page
from hw.registers.rdl import rdl
from sim_tests.bench import ROOT
from sim_tests.host.c_driver import COMPILER, WARNINGS

SOFTWARE = {Access.CONSTANT: "r", Access.STATE: "r", Access.SETTING: "rw", Access.LOCKABLE: "rw",
            Access.COMMAND: "w", Access.EVENT: "rw", Access.ENTRY: "w"}


def test_addresses_are_words_of_their_own():
    addresses = [register.address for register in ALL_REGISTERS]
    assert sorted(set(addresses)) == addresses
    assert all(address % 4 == 0 and address < 1 << ADDRESS_BITS for address in addresses)
    assert len({register.name for register in ALL_REGISTERS}) == len(ALL_REGISTERS)


def test_fields_of_a_register_do_not_overlap():
    for register in ALL_REGISTERS:
        free = 0
        for field in register.fields:
            assert field.low >= free and field.width >= 1, (register.name, field.name)
            free = field.low + field.width
        assert free == register.width <= 32
        assert register.reset is None or register.reset < 1 << register.width


def test_settings_of_a_job_are_whole_words():
    job = next(group.registers for group in GROUPS if group.title == "Job")
    assert {register.width for register in job} == {32}, "a larger value would be cut off unseen"


def test_the_committed_files_are_up_to_date():
    assert not files.stale(), "run `mixdit dev registers`"


@pytest.mark.parametrize("name", files.COMMITTED)
def test_a_file_that_is_not_is_noticed(tmp_path, name):
    assert files.stale(tmp_path) == list(files.COMMITTED)
    assert set(files.write(tmp_path)) == set(files.FILES)
    assert files.write(tmp_path) == []
    text = (tmp_path / name).read_text()
    (tmp_path / name).write_text(text.replace("TILE_SLOTS", "TOKEN_SLOTS", 1))
    assert files.stale(tmp_path) == [name]
    assert files.write(tmp_path) == [name]
    assert (tmp_path / name).read_text() == text


def test_the_page_has_every_register_field_and_code():
    text = page()
    for register in ALL_REGISTERS:
        machines = {(True, True): "both", (True, False): "streams", (False, True): "bus"}[
            register in REGISTERS, register in RING_REGISTERS]
        head = (f"| 0x{register.address:03X} | {register.name} | {machines} | "
                f"{register.access.name.lower()} |")
        assert text.count(head) == 1
        rows = "|" + text.split(head)[1].split("| 0x")[0]
        for field in register.fields:
            last = field.low + field.width - 1
            bits = f"{last}:{field.low}" if field.width > 1 else f"{last}"
            name = "" if register.is_whole else field.name
            assert f"| {bits} | {name} | {field.doc if name else register.doc}" in rows
    rows = [f"| {refusal.value} | {refusal.name} | {refusal.doc} |" for refusal in CHECKS]
    assert "\n".join(rows) in text, "in the order of the checks"
    assert f"0 (NONE) when {Refusal.NONE.doc}" in text
    for bit, fault in enumerate(StreamFault):
        assert f"| {bit} | {fault.name} | {fault.doc} |" in text


def test_the_header_compiles_and_has_the_values(tmp_path):
    """Let the compiler itself compare every offset, mask, shift and code with the data."""
    claims = []
    for register in ALL_REGISTERS:
        claims.append((f"MIXDIT_REG_{register.name}", register.address))
        for field in register.fields:
            name = f"MIXDIT_{register.name}_{field.name}"
            if not register.is_whole:
                bits = sum(1 << bit for bit in range(field.low, field.low + field.width))
                claims += [(f"{name}_MASK", bits), (f"{name}_SHIFT", field.low)]
            whose = f"MIXDIT_{register.name}" if register.is_whole else name
            claims += [(f"{whose}_{value.name}", value.value) for value in field.values or ()]
    lines = ['#include "mixdit_registers.h"', '#include "mixdit_registers.h"']
    lines += [f"typedef char claim_{index}[{name} == {value}u ? 1 : -1];"
              for index, (name, value) in enumerate(claims)]
    lines += ["int main(void) { return 0; }", ""]

    def compiled(text):
        (tmp_path / "mixdit_registers.h").write_text(text)
        (tmp_path / "claims.c").write_text("\n".join(lines))
        outcome = subprocess.run([COMPILER, *WARNINGS, "-Wno-sign-compare", "-c", "claims.c"],
                                 cwd=tmp_path, capture_output=True, text=True)
        return outcome.returncode == 0, outcome.stderr

    written = header()
    good, errors = compiled(written)
    assert good, errors
    wrong = re.sub(r"(MIXDIT_REG_JOB_UNITS) 0x0A8u", r"\1 0x0ACu", written)
    assert wrong != written
    assert not compiled(wrong)[0], "a wrong offset must not compile"


def elaborate(text: str, folder) -> AddrmapNode:
    """Compile SystemRDL; return its address map."""
    path = folder / "mixdit.rdl"
    path.write_text(text)
    compiler = RDLCompiler()
    compiler.compile_file(str(path))
    return compiler.elaborate().top


def described(top: AddrmapNode) -> list[tuple]:
    """List what the SystemRDL says of each field, in order."""
    rows = []
    for register in top.registers():
        for field in register.fields():
            encode = field.get_property("encode")
            rows.append((
                register.inst_name, register.absolute_address, register.size * 8, field.inst_name,
                field.low, field.width, field.get_property("sw").name, field.get_property("reset"),
                bool(field.get_property("singlepulse")),
                str(field.get_property("onwrite")).split(".")[-1],
                encode and {member.name: int(member.value) for member in encode},
            ))
    return rows


def expected_rows() -> list[tuple]:
    rows = []
    for register in ALL_REGISTERS:
        for field in register.fields:
            reset = register.reset
            if reset is not None and register.access is not Access.ENTRY:
                reset = reset >> field.low & (1 << field.width) - 1
            rows.append((
                register.name, register.address, 32, field.name, field.low, field.width,
                SOFTWARE[register.access],
                None if register.access is Access.ENTRY else reset,
                register.access is Access.COMMAND,
                "woclr" if register.access is Access.EVENT else "None",
                field.values and {member.name: member.value for member in field.values},
            ))
    return rows


def test_the_system_rdl_elaborates_to_the_data(tmp_path):
    assert described(elaborate(rdl(), tmp_path)) == expected_rows()


@pytest.mark.parametrize(("right", "wrong"), [
    ("JOB_UNITS @ 0x0A8", "JOB_UNITS @ 0x0B8"), ("FREE[15:8]", "FREE[16:8]"),
    ("onwrite = woclr", "onwrite = wzc"), ("} JOB_M", "} JOB_ROWS"), ("HEAD = 3", "HEAD = 7"),
])
def test_a_difference_in_the_system_rdl_is_noticed(tmp_path, right, wrong):
    text = rdl()
    assert text.count(right) >= 1
    try:
        found = described(elaborate(text.replace(right, wrong), tmp_path))
    except RDLCompileError:
        assert right.startswith("FREE"), "only overlapping fields do not compile"
    else:
        assert found != expected_rows()


def test_flags_and_fields_are_the_same_bits():
    fields = {register.name: register.fields for register in ALL_REGISTERS}
    for name, flags in (("CONTROL", Command), ("JOB_FAULTS", StreamFault)):
        assert [(field.name, field.mask) for field in fields[name]] == [
            (flag.name, flag.value) for flag in flags]
    assert [field.mask >> 2 for field in fields["IRQ_PENDING"][2:]] == list(StreamFault)
    assert (ROOT / "docs" / "registers.md").exists()
