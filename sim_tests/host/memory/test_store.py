"""Memory that is handed out: no byte twice, none lost, none used after it was freed."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.host.memory.store import Store
from sim_tests.host.memory.benches import connect, normal
from sim_tests.host.memory.golden_device import BASE, GoldenDevice

SIZE = 4096


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(st.integers(1, 1500), st.integers(-20, -1)), max_size=40))
def test_blocks_never_overlap_and_no_byte_is_lost(steps):
    store, blocks = Store(GoldenDevice(), BASE, SIZE), []
    for step in steps:
        if step < 0:
            if blocks:
                store.release(blocks.pop(step % len(blocks)))
            continue
        wanted = -(-step // 64) * 64
        gaps = free_gaps(blocks)
        if wanted > max(gaps):
            with pytest.raises(MemoryError, match=f"no room for {wanted} bytes: {sum(gaps)} of "
                                                  f"{SIZE} are free, {max(gaps)} in one piece"):
                store.allocate(step)
            continue
        blocks.append(store.allocate(step))
        assert blocks[-1].size == wanted and blocks[-1].address % 64 == 0
        assert store.free_bytes == sum(free_gaps(blocks))


def free_gaps(blocks):
    """Return what is free between blocks; refuse some that overlap or lie outside."""
    ends = [BASE, *(edge for block in sorted(blocks) for edge in (
        block.address, block.address + block.size)), BASE + SIZE]
    gaps = [after - before for before, after in zip(ends[::2], ends[1::2], strict=True)]
    assert min(gaps) >= 0
    return gaps


def test_what_is_freed_is_not_used():
    host, _ = connect()
    memory = host.memory
    x = memory.place(normal(4, 16))
    part, w = x.rows(0, 2), memory.place_weights(normal(16, 4))
    c = memory.empty((2, 4))
    before = host.commands()
    before.gemm(part, w, c)
    onto = host.commands()
    onto.gemm(part, w, gone := memory.empty((2, 4)))
    memory.free(gone)
    with pytest.raises(ValueError, match=r"C of command 0, at 0x.* was freed"):
        host.run(onto)
    memory.free(x)
    for use in (x.read, part.read, lambda: part.write(normal(2, 16)),
                lambda: host.commands().gemm(part, w, c)):
        with pytest.raises(ValueError, match="was freed: place it again"):
            use()
    with pytest.raises(ValueError, match=r"A of command 0, at 0x.* was freed"):
        host.run(before)
    with pytest.raises(ValueError, match="was freed before"):
        memory.free(part)


def test_a_scope_frees_what_was_handed_out_in_it_also_after_an_error():
    host, _ = connect()
    memory, free = host.memory, host.memory.free_bytes
    with pytest.raises(KeyError), memory.scope():
        inner = memory.place(normal(3, 3))
        gone = memory.place(normal(3, 3))
        memory.free(gone)
        raise KeyError
    assert memory.free_bytes == free and not inner.block.is_live


def test_handles_of_another_memory_are_refused():
    (host, _), (other, _) = connect(), connect()
    x, w = other.memory.place(normal(4, 16)), host.memory.place_weights(normal(16, 4))
    with pytest.raises(ValueError, match=r"A, at 0x.* lies in another memory"):
        host.commands().gemm(x, w, host.memory.empty((4, 4)))
    with pytest.raises(ValueError, match="is of another memory"):
        host.memory.free(x)
    with pytest.raises(ValueError, match="work on another memory"):
        host.run(other.commands())


@pytest.mark.parametrize("address, size", [(BASE + 32, 4096), (BASE, 100)])
def test_a_range_that_is_no_multiple_of_64_is_refused(address, size):
    with pytest.raises(ValueError, match="must be a multiple of 64"):
        Store(GoldenDevice(), address, size)
