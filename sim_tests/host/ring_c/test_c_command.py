"""Descriptors from C: the header that is made of golden's fields, packing, and fences."""

import re
import subprocess

import numpy as np
import pytest

from golden.memory import Command, Operation
from golden.memory.descriptor import ALIGNMENT, BYTES, FIELD, FIELDS, VERSION, WORDS
from hw.memory import page
from hw.memory.c_header import WRITTEN, header
from sim_tests.host.c_driver import COMPILER, WARNINGS, Host, Result
from sim_tests.host.ring_c.c_ring import CRing
from sim_tests.host.ring_c.ring_device import RingDevice


def packer(host: Host) -> CRing:
    """Give a driver whose device nobody asks."""
    return CRing(RingDevice(), host)


def fields_of(operation: Operation) -> list:
    """List what a command of an operation can say."""
    return [field for field in WRITTEN if operation in field.operations
            and field.name != "OPERATION"]


def test_the_committed_files_are_what_the_fields_say():
    for path, text in page.texts().items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name}: run `mixdit dev commands`"


def test_the_header_compiles_and_has_the_values(tmp_path):
    claims = [("DESCRIPTOR_BYTES", BYTES), ("DESCRIPTOR_WORDS", WORDS),
              ("DESCRIPTOR_ALIGNMENT", ALIGNMENT), ("DESCRIPTOR_VERSION", VERSION)]
    claims += [(f"OPERATION_{each.name}", each.value) for each in Operation]
    for field in FIELDS:
        claims.append((f"DESCRIPTOR_{field.name}_WORD", field.word))
        if field.width <= 32:
            bits = sum(1 << bit for bit in range(field.low, field.low + field.width))
            claims += [(f"DESCRIPTOR_{field.name}_MASK", bits),
                       (f"DESCRIPTOR_{field.name}_SHIFT", field.low)]
    lines = ['#include "mixdit_descriptor.h"'] * 2 + [
        f"typedef char claim_{index}[MIXDIT_{name} == {value}u ? 1 : -1];"
        for index, (name, value) in enumerate(claims)]

    def compiles(text: str) -> bool:
        (tmp_path / "mixdit_descriptor.h").write_text(text)
        (tmp_path / "claims.c").write_text("\n".join([*lines, "int main(void) { return 0; }", ""]))
        return subprocess.run([COMPILER, *WARNINGS, "-Wno-sign-compare", "-c", "claims.c"],
                              cwd=tmp_path, capture_output=True).returncode == 0

    assert compiles(header())
    wrong = re.sub(r"(MIXDIT_DESCRIPTOR_B_STRIDE_WORD) 23u", r"\1 24u", header())
    assert wrong != header() and not compiles(wrong), "a wrong word must not compile"


@pytest.mark.parametrize("operation", Operation)
def test_descriptors_are_goldens(host, operation):
    driver, rng = packer(host), np.random.default_rng(operation.value)
    fields = fields_of(operation)
    lists = [{field.name.lower(): (1 << field.width) - 1} for field in fields]  # each alone
    lists += [{}, {name: value for each in lists for name, value in each.items()}]
    lists += [{field.name.lower(): int(rng.integers(1 << field.width, dtype=np.uint64))
               if field.width < 64 else int.from_bytes(rng.bytes(8), "little")
               for field in fields if rng.random() < 0.7} for _ in range(30)]
    for values in lists:
        command = Command(operation=operation, **values)
        assert driver.pack_command(command) == (Result.OK, command.pack()), values


def test_what_does_not_fit_is_refused(host):
    driver = packer(host)
    for code in (0, 4, 33, 34, 255, 256, (1 << 32) - 1):
        assert driver.pack_command({"operation": code})[0] == Result.BAD_COMMAND, code
    for operation in Operation:
        for field in WRITTEN:
            name = field.name.lower()
            if name != "operation" and field.width < 32:
                for value in (1 << field.width, (1 << 32) - 1):
                    wrong = {"operation": operation.value, name: value}
                    assert driver.pack_command(wrong)[0] == Result.BAD_COMMAND, wrong
            if operation not in field.operations:
                wrong = {"operation": operation.value, name: 1}
                assert driver.pack_command(wrong)[0] == Result.BAD_COMMAND, wrong


def test_a_fence_is_the_distance_to_an_earlier_command(host):
    driver, furthest = packer(host), (1 << FIELD["WAIT_A"].width) - 1
    for command, earlier, distance in (
            (1, 0, 1), (7, 4, 3), (300, 45, 255), (300, 44, furthest), (5000, 1, furthest),
            (2, (1 << 32) - 1, 3), ((1 << 31) - 1, 0, furthest)):
        assert driver.fetch("fence", command, earlier) == (Result.OK, distance)
    for command, earlier in ((0, 0), (5, 5), (4, 5), (0, 1), (1 << 31, 0)):
        assert driver.fetch("fence", command, earlier) == (Result.NOT_EARLIER, (1 << 32) - 1)
