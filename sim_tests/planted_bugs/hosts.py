"""Mistakes in the drivers, in Python and in C."""

from .bug import Bug

RING_C = "sim_tests/host/ring_c/test_c_ring.py"
PACK_C = "sim_tests/host/ring_c/test_c_pack.py"

BUGS = (
    Bug("driver: a wait that forgets the wrap of the count", "hw/host/driver.py",
        'self.read("JOBS_ENDED")) % _COUNTS', 'self.read("JOBS_ENDED"))',
        "sim_tests/host/test_driver.py"),
    Bug("driver: a wait that lets no other task run", "hw/host/driver.py",
        "    await asyncio.sleep(0)", "    pass", "sim_tests/host/test_driver.py"),
    Bug("C driver: a wait that forgets the wrap of the count", "hw/host/c/mixdit.c",
        "now - ended < UINT32_C(1) << 31", "now >= ended", "sim_tests/host/test_c_driver_calls.py"),
    Bug("C driver: events cleared that were not read", "hw/host/c/mixdit.c",
        "MIXDIT_REG_IRQ_PENDING, *events)", "MIXDIT_REG_IRQ_PENDING, UINT32_MAX)",
        "sim_tests/host/test_c_interrupts.py"),
    Bug("C example: the count read before the events are cleared", "examples/c/interrupts.c",
        """result = mixdit_take_events(machine, &events);

    if (result == MIXDIT_OK)
        result = mixdit_jobs_ended(machine, &now);""",
        """result = mixdit_jobs_ended(machine, &now);

    if (result == MIXDIT_OK)
        result = mixdit_take_events(machine, &events);""",
        "sim_tests/host/test_c_interrupts.py"),
    Bug("C example: an irq that is stuck wakes the host for ever", "examples/c/interrupts.c",
        "idle == MOST_IDLE_WAKE_UPS || ", "", "sim_tests/host/test_c_interrupts.py"),
    Bug("C ring: a doorbell that may pass its descriptors", "hw/host/c/mixdit_ring.c",
        "barrier(ring); /* the doorbell comes after what it announces */", "", RING_C),
    Bug("C ring: descriptors behind the turn stay in the cache", "hw/host/c/mixdit_ring.c",
        "if (straight < count)", "if (false)", RING_C),
    Bug("C ring: a wait that forgets the wrap of the count", "hw/host/c/mixdit_ring.c",
        "now - ended < UINT32_C(1) << 31", "now >= ended", RING_C),
    Bug("C ring: the commands of another ring carried out", "hw/host/c/mixdit_ring.c",
        "!write32(ring, MIXDIT_REG_RING_TAIL, ended) ||", "", RING_C),
    Bug("C ring: resumed before it has come to rest", "hw/host/c/mixdit_ring.c",
        "come_to_rest(ring, polls, &status); /*",
        "(come_to_rest(ring, polls, &status), MIXDIT_OK); /*",
        "sim_tests/host/ring_c/test_c_ring_faults.py"),
    Bug("C ring: a descriptor in the host's byte order", "hw/host/c/mixdit_command.c",
        "(uint8_t)(bits >> 8u * byte & 0xFFu)", "((const uint8_t *)&bits)[byte]",
        "sim_tests/host/ring_c/test_c_command.py"),
    Bug("C weights: ties rounded up", "hw/host/c/mixdit_pack.c",
        "(dropped == half && (mantissa & 1u) != 0u)", "dropped == half", PACK_C),
    Bug("C weights: subnormals taken for numbers", "hw/host/c/mixdit_pack.c",
        "if (exponent == 0u) /*", "if ((pattern & 0x7FFFFFFFu) == 0u) /*", PACK_C),
    Bug("C weights: precision bits of the first beat alone", "hw/host/c/mixdit_pack.c",
        "k_block < blocks && format_of", "first == 0u && k_block < blocks && format_of", PACK_C),
    Bug("C attention: a fence that lacks", "examples/c/attention.c",
        "mixdit_fence(SCORES, CONVERT_KEY, &list[SCORES].wait_b);", "",
        "sim_tests/host/ring_c/test_c_attention.py"),
)
