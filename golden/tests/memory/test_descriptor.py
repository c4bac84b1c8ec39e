"""The descriptor: no bit belongs to two fields, and what is wrong is named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden.memory.descriptor import (
    BASE_FIELDS,
    BYTES,
    FIELD,
    FIELDS,
    RESERVED,
    RESERVED_WITH_VECTOR,
    Command,
    Operation,
)
from golden.memory.faults import CommandError, Fault
from golden.memory.jobs import JobKind

NUMBERS = [field for field in FIELDS if field.name not in ("VERSION", "OPERATION")]


MACHINES = pytest.mark.parametrize("operation, fields, reserved, has_vector", [
    *((operation, BASE_FIELDS, RESERVED, False) for operation in RESERVED),
    *((operation, FIELDS, RESERVED_WITH_VECTOR, True) for operation in Operation)])


@MACHINES
def test_no_bit_belongs_to_two_fields(operation, fields, reserved, has_vector):
    here = [field for field in fields if operation in field.operations]
    assert sum(field.mask for field in here) == ((1 << 8 * BYTES) - 1) ^ reserved[operation]
    assert all(bin(field.mask).count("1") == field.width for field in here)


def test_fields_stand_in_order_and_addresses_on_whole_words():
    places = [(field.word, field.low) for field in FIELDS]
    assert places == sorted(places)
    assert all(not field.low and not field.word % 2 for field in FIELDS if field.width == 64)


@given(st.data())
def test_a_descriptor_is_read_as_it_was_written(data):
    operation = data.draw(st.sampled_from(list(Operation)))
    values = {field.name.lower(): data.draw(st.integers(0, (1 << field.width) - 1))
              for field in NUMBERS if operation in field.operations}
    command = Command(operation=operation, **values)
    packed = command.pack()
    assert len(packed) == BYTES
    assert Command.unpack(packed, has_vector=True) == command


def test_bytes_by_hand():
    packed = Command(kind=JobKind.CONVERT, m=0, n=0x01020304, k=0x0506, a=0x0807060504).pack()
    assert packed[0:4] == bytes([1, 1, 0, 0])
    assert packed[8:12] == bytes([2, 0, 0, 0])
    assert packed[20:26] == bytes([4, 3, 2, 1, 6, 5])
    assert packed[40:48] == bytes([4, 5, 6, 7, 8, 0, 0, 0])


@MACHINES
def test_every_reserved_bit_is_refused(operation, fields, reserved, has_vector):
    good = int.from_bytes(Command(operation=operation).pack(), "little")
    for bit in range(8 * BYTES):
        if reserved[operation] >> bit & 1:
            with pytest.raises(CommandError, match=f"bit {bit % 32} of word {bit // 32} is set"):
                Command.unpack((good | 1 << bit).to_bytes(BYTES, "little"), has_vector=has_vector)


@pytest.mark.parametrize("packed, fault", [
    (bytes(BYTES), Fault.UNKNOWN_VERSION), (b"\xa5" * BYTES, Fault.UNKNOWN_VERSION),
    (b"\x01" + bytes(BYTES - 1), Fault.UNKNOWN_OPERATION),
    (b"\x01\x03" + bytes(BYTES - 2), Fault.UNKNOWN_OPERATION),
    (b"\x01\x04" + bytes(BYTES - 2), Fault.UNKNOWN_OPERATION)])
def test_what_is_no_command_is_refused(packed, fault):
    with pytest.raises(CommandError) as error:
        Command.unpack(packed)
    assert error.value.fault is fault


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="k has 16 bits: 65536 does not fit"):
        Command(k=1 << FIELD["K"].width)
    with pytest.raises(ValueError, match="a command has no field 'lanes'; it has version, operat"):
        Command(lanes=3)
    with pytest.raises(ValueError, match="WAIT has no M"):
        Command(operation=Operation.WAIT, m=1).pack()
    with pytest.raises(AttributeError, match="no field 'lanes'"):
        _ = Command().lanes
    with pytest.raises(TypeError, match="m must be a whole number"):
        Command(m=1.5)
