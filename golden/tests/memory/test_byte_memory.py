"""A memory of regions: what is there, what is not, and what is broken."""

import numpy as np
import pytest

from golden.memory import BusError, Memory


@pytest.fixture
def memory():
    memory = Memory()
    memory.add(0x1000, 64)
    memory.add(0x2000, 16, fill=0)
    return memory


def test_what_is_written_is_read(memory):
    memory.write(0x1004, b"abcd")
    assert memory.read(0x1003, 6) == b"\xa5abcd\xa5"
    assert memory.read(0x2000, 16) == bytes(16)
    assert [(base, len(data)) for base, data in memory.regions] == [(0x1000, 64), (0x2000, 16)]


def test_all_bytes_of_a_buffer_are_written(memory):
    numbers = np.arange(4, dtype="<f4")
    memory.write(0x1000, numbers)
    assert memory.read(0x1000, 16) == numbers.tobytes()
    assert memory.read(np.uint32(0x1000), np.int8(4)) == bytes(4)
    with pytest.raises(BusError, match="DECERR at 0xfffffff0"):
        memory.read(np.uint32(0xFFFFFFF0), 32)


@pytest.mark.parametrize("access, error", [
    (lambda memory: memory.read(0x1000, -3), ValueError),
    (lambda memory: memory.read(4096.0, 3), TypeError),
    (lambda memory: memory.write("a", b"1"), TypeError),
    (lambda memory: memory.add(0x5000, 4, fill=300), ValueError)])
def test_what_is_no_access_is_refused(memory, access, error):
    with pytest.raises(error):
        access(memory)


@pytest.mark.parametrize("address, size, first", [
    (0, 1, 0), (0xFFF, 1, 0xFFF), (0xFFF, 2, 0xFFF), (0x1040, 1, 0x1040), (0x103F, 2, 0x1040),
    (0x1000, 65, 0x1040), (0x2010, 4, 0x2010), (1 << 62, 1, 1 << 62)])
def test_where_there_is_nothing_it_says_so(memory, address, size, first):
    for access in (lambda: memory.read(address, size), lambda: memory.write(address, bytes(size))):
        with pytest.raises(BusError, match=f"DECERR at {first:#x}") as error:
            access()
        assert (error.value.address, error.value.decodes) == (first, False)
    assert memory.read(0x1000, 64) == b"\xa5" * 64  # all or nothing


@pytest.mark.parametrize("address, size, first", [
    (0x1010, 1, 0x1010), (0x1000, 32, 0x1010), (0x1013, 9, 0x1013), (0x100F, 2, 0x1010)])
def test_what_is_broken_says_so(memory, address, size, first):
    memory.broken.append((0x1010, 4))
    with pytest.raises(BusError, match=f"SLVERR at {first:#x}") as error:
        memory.read(address, size)
    assert error.value.decodes
    assert memory.read(0x1000, 16) + memory.read(0x1014, 12) == b"\xa5" * 28


@pytest.mark.parametrize("base, size", [(0x1000, 1), (0xFFF, 2), (0x103F, 1), (0xF00, 0x2000)])
def test_regions_do_not_overlap(memory, base, size):
    with pytest.raises(ValueError, match=f"{size} bytes at {base:#x} overlap the region at"):
        memory.add(base, size)


def test_regions_that_touch_are_one(memory):
    memory.add(0x1040, 16)
    memory.write(0x103E, b"abcd")
    assert memory.read(0x103E, 4) == b"abcd"
    with pytest.raises(BusError, match="DECERR at 0x1050"):
        memory.write(0x103E, bytes(19))
    assert memory.read(0x103E, 4) == b"abcd"


@pytest.mark.parametrize("base, size, sentence", [
    (-1, 4, "base must be at least 0"), (0, 0, "size must be at least 1")])
def test_a_region_has_a_place_and_a_size(base, size, sentence):
    with pytest.raises(ValueError, match=sentence):
        Memory().add(base, size)
