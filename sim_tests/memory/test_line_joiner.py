"""Words of rows to lines of memory: every byte once, whole lines, ends, groups of rows, speed."""

import cocotb
import pytest

from hw.memory.line_joiner import LineJoiner
from hw.memory.work import row_store_layout, store_layout
from sim_tests import bench, drive

ROWS, ADDRESS_BITS = 12, 24


def sizes():
    """Give the parameters of the component."""
    return {"address_bits": ADDRESS_BITS, "data_bytes": drive.parameters()["data_bytes"]}


def draw(rng, groups, *, rows=None, tiles=None, piece=None, aligned=False, guess=False):
    """Draw commands as words: groups of rows, column tile by column tile.

    Some groups end a command; the last one does. A piece that lies in two words is two. The row
    that comes next may be a guess.
    """
    size, words = sizes()["data_bytes"], []
    for group in range(groups):
        count = rows or int(rng.integers(1, ROWS + 1))
        cols = tiles or int(rng.integers(1, 7))
        width = piece or int(rng.integers(1, size + 1))
        stride = -(-cols * width // 64) * 64 + (0 if aligned else int(rng.integers(0, 100)))
        base = (group << 14) + (0 if aligned else int(rng.integers(0, 64)))
        is_last = group == groups - 1 or rng.random() < 0.3
        ends = int(is_last and rng.random() < 0.8)
        for col in range(cols):
            for row in range(count):
                address = base + row * stride + col * width
                strobes = ((1 << width) - 1) << address % size
                final = is_last and (row, col) == (count - 1, cols - 1)
                parts = [strobes & (1 << size) - 1, strobes >> size]
                for second, part in enumerate(parts):
                    if part:
                        last = final and (second or not parts[1])
                        words.append({
                            "word": address // size + second, "strobes": part, "row": row,
                            "next_row": int(rng.integers(ROWS)) if guess else (row + 1) % count,
                            "data": int.from_bytes(rng.bytes(size), "little"),
                            "is_last": int(last), "ends": int(last and ends)})
    return words


async def join(dut, words, idle=0.0, stall=0.0):
    """Send words, and compare what is written; return the words that leave, and the cycles."""
    await drive.reset(dut)
    size = sizes()["data_bytes"]
    layout = row_store_layout(rows=ROWS, **sizes())
    sent = [layout.const(word).as_value().value for word in words]
    expected = octets_of(words)
    begin = drive.cycle()
    sending = cocotb.start_soon(drive.send(dut, "i", sent, idle))
    left, came, flips = dict(expected), [], drive.rng("stall")
    while left:
        dut.o__ready.value = int(flips.random() >= stall)
        await drive.ticks(dut, 1)
        assert drive.cycle() - begin < 20 * len(words) + 2_000, f"{len(left)} bytes are missing"
        if int(dut.o__valid.value) and int(dut.o__ready.value):
            fields = store_layout(**sizes()).from_bits(int(dut.o__payload.value))
            word = {name: int(fields[name]) for name in ("word", "data", "strobes", "ends")}
            came.append(word)
            for address, octet in octets_of([word]).items():
                assert left.pop(address, None) == octet, f"{address:#x} is written"
            assert not fields["after"]
    cycles = drive.cycle() - begin
    await sending
    dut.o__ready.value = 1
    for _ in range(30):
        await drive.ticks(dut, 1)
        assert not int(dut.o__valid.value)
    assert int(dut.is_empty.value)
    check_ends(words, came, size)
    return came, cycles


def octets_of(words):
    """Give every byte that is written, by its address."""
    size = sizes()["data_bytes"]
    return {word["word"] * size + byte: word["data"] >> 8 * byte & 0xFF
            for word in words for byte in range(size) if word["strobes"] >> byte & 1}


def check_ends(words, came, size):
    """What comes before a command's end is written before what comes behind it, and marked."""
    commands, marks = [[]], []
    for word in words:
        commands[-1].append(word)
        if word["is_last"]:
            marks.append(word["ends"])
            commands.append([])
    at = 0
    for command, ends in zip(commands, marks, strict=False):
        left = set(octets_of(command))
        while left:
            left -= set(octets_of([came[at]]))
            assert came[at]["ends"] == int(ends and not left)
            at += 1
    assert at == len(came)


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(idle=[0.0, 0.5], stall=[0.0, 0.5])
async def every_byte_leaves_once(dut, idle, stall):
    await join(dut, draw(drive.rng(), drive.amount(30, 300)), idle, stall)


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(side=["idle", "stall"])
async def survives_a_long_pause(dut, side):
    words = draw(drive.rng(), 6)
    pause = drive.LongPause(11, 300)
    if side == "idle":
        await join(dut, words, idle=pause)
    else:
        await join(dut, words, stall=0.9)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def a_wrong_guess_costs_nothing_but_time(dut):
    await join(dut, draw(drive.rng(), drive.amount(30, 300), guess=True))


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def lines_leave_whole(dut):
    """Of rows that begin with a line each line leaves once, its words one after the other."""
    size, line = sizes()["data_bytes"], 64
    for piece in (size // 2, size):
        came, _ = await join(dut, draw(drive.rng(), 6, tiles=8, piece=piece, aligned=True))
        places = [word["word"] * size // line for word in came]
        begins = [at for at, place in enumerate(places) if at == 0 or place != places[at - 1]]
        assert len(begins) == len(set(places))
        assert all(word["strobes"] == (1 << size) - 1 for word in came)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def a_word_each_cycle(dut):
    size = sizes()["data_bytes"]
    words = draw(drive.rng(), 6, rows=ROWS, tiles=12, piece=size, aligned=True)
    _, cycles = await join(dut, words)
    ends = sum(word["is_last"] for word in words)
    drives_out = ROWS * max(2, 64 // size) + 4
    assert cycles < len(words) + ends * drives_out + 10, f"{cycles} cycles for {len(words)} words"


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def one_row_takes_two_cycles_a_word(dut):
    words = draw(drive.rng(), 8, rows=1, tiles=30, aligned=True)
    _, cycles = await join(dut, words)
    assert cycles < 2 * len(words) + 8 * 12


@pytest.mark.parametrize("data_bytes", [8, 32])
def test_line_joiner(data_bytes):
    component = LineJoiner(rows=ROWS, line_words=64 // data_bytes, address_bits=ADDRESS_BITS,
                           data_bytes=data_bytes)
    bench.simulate(component, __name__, f"line_joiner_{data_bytes}",
                   parameters={"data_bytes": data_bytes})
