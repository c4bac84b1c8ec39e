"""The C driver of the ring compiles everywhere: without a library, on 32 bits, and from C++."""

import re
import subprocess
from pathlib import Path

import pytest

from sim_tests.host.c_driver import COMPILER, CPLUSPLUS, EXAMPLE, SOURCES, WARNINGS, Host, require

PARTS = ("mixdit", "mixdit_command", "mixdit_ring", "mixdit_tiles", "mixdit_pack")
FREESTANDING = ("-ffreestanding", "-nostdlib", f"-I{SOURCES}")
OF_COMPILERS = {"memcpy", "memset"}
"""What a compiler may always ask for."""

SOFT_FLOAT = {f"__{name}" for name in ("addsf3", "subsf3", "mulsf3", "divsf3", "fixsfsi",
                                       "floatsisf", "gtsf2", "ltsf2")}
"""Arithmetic of the example's softmax where a processor has no floats; libgcc has it."""

RISCV = ("riscv64-unknown-elf-gcc", "riscv64-unknown-elf-nm")
TARGETS = {"native": (COMPILER, "nm"), "native_c11": (COMPILER, "nm", "-std=c11"),
           "rv32": (*RISCV, "-march=rv32imac", "-mabi=ilp32"),
           "rv64": (*RISCV, "-march=rv64imac", "-mabi=lp64")}


def symbols(tool: str, compiled: Path, *options: str) -> set[str]:
    """List symbols of an object."""
    return set(subprocess.run([tool, "--format=just-symbols", *options, str(compiled)],
                              check=True, capture_output=True, text=True).stdout.split())


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("level", ["-O0", "-O2", "-Os"])
def test_it_needs_no_library(tmp_path, target, level):
    compiler, tool, *options = TARGETS[target]
    require(Host(compiler))
    undefined, defined = set(), set()
    for part in (*(SOURCES / f"{part}.c" for part in PARTS), EXAMPLE / "attention.c"):
        compiled = tmp_path / f"{part.stem}.o"
        subprocess.run([compiler, *WARNINGS, *options, level, *FREESTANDING, "-c", str(part),
                        "-o", str(compiled)], check=True)
        defined |= symbols(tool, compiled, "-g", "--defined-only")
        missing = symbols(tool, compiled, "-u")
        undefined |= missing - SOFT_FLOAT if part.stem == "attention" else missing
    assert undefined - defined <= OF_COMPILERS


def test_its_headers_serve_cplusplus(tmp_path):
    """Link C++ with the driver as C; every function of a header is one of its source."""
    functions, compiled = [], []
    for part in PARTS:
        compiled.append(tmp_path / f"{part}.o")
        subprocess.run([COMPILER, *WARNINGS, "-c", str(SOURCES / f"{part}.c"), "-o",
                        str(compiled[-1])], check=True)
        header = re.sub(r"/\*.*?\*/", "", (SOURCES / f"{part}.h").read_text(), flags=re.DOTALL)
        declared = re.findall(r"(mixdit_\w+)\(", header)
        assert set(declared) == symbols("nm", compiled[-1], "-g", "--defined-only")
        functions += declared
    (tmp_path / "program.cpp").write_text("\n".join([
        *(f'#include "{part}.h"' for part in (*reversed(PARTS), *PARTS)), "void *functions[] = {",
        *(f"    reinterpret_cast<void *>({name})," for name in functions), "};",
        "int main() { return functions[0] == nullptr; }", ""]))
    for standard in ("c++11", "c++17"):
        subprocess.run([CPLUSPLUS, f"-std={standard}", "-Wall", "-Wextra", "-Wpedantic", "-Werror",
                        f"-I{SOURCES}", str(tmp_path / "program.cpp"), *map(str, compiled),
                        "-o", str(tmp_path / "program")], check=True)
        subprocess.run([str(tmp_path / "program")], check=True)


def test_the_linux_example_is_a_program_that_says_what_it_lacks(tmp_path):
    program = tmp_path / "uio"
    subprocess.run([COMPILER, *WARNINGS, f"-I{SOURCES}", *(str(SOURCES / f"{part}.c")
                    for part in PARTS), str(EXAMPLE / "uio.c"), "-o", str(program)], check=True)
    for arguments, sentence in (
            ((), "usage: uio UIO-DEVICE MEMORY-DEVICE ADDRESS"),
            ((tmp_path / "uio0", tmp_path / "memory", "0"), f"{tmp_path}/uio0: No such file")):
        done = subprocess.run([program, *arguments], capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (1, "") and sentence in done.stderr
