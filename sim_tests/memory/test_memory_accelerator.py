"""The top with a ring, driven by the host's library: its tests, on the machine."""

from dataclasses import replace

import cocotb
import numpy as np
import pytest
from cocotb.task import bridge

from golden.memory import Command, Fault
from golden.memory.descriptor import BYTES
from hw.host.driver import BusError
from hw.host.memory import CommandFaultError, RingHost
from hw.memory_accelerator import MemoryAccelerator
from hw.registers.codes import RingCommand
from hw.registers.map import ADDRESSES, REGISTER
from sim_tests import bench, drive
from sim_tests.host.memory import benches, test_commands
from sim_tests.host.memory.golden_device import BASE, SIZE, SMALL
from sim_tests.memory.machines import BUS_PERIODS
from sim_tests.memory.runs import GENTLE, HOSTILE
from sim_tests.memory.simulated_device import SimulatedDevice

HOST_TESTS = {
    **{f"{name} to {output}": (test_commands.test_a_gemm_is_goldens_in_every_format, name, output)
       for name, output in (("fp32", "fp32"), ("fp16", "fp16"), ("bf16", "bf16"), ("fp16", "mx6"),
                            ("fp32", "mx9"))},
    "order and tags": (test_commands.test_orders_and_tags_are_loaded, True, True),
    "a packed chain": (test_commands.test_a_chain_stays_packed, "mx9"),
    "attention": (test_commands.test_attention_is_four_commands,),
    "again": (test_commands.test_a_list_runs_again_with_other_numbers,),
}


async def device_of(dut, manners=GENTLE):
    device = SimulatedDevice(dut, BASE, SIZE, manners)
    await device.begin()
    return device


@cocotb.test(timeout_time=4, timeout_unit="ms")
@cocotb.parametrize(name=list(HOST_TESTS), manners=[GENTLE, HOSTILE])
async def does_what_golden_does_for_the_host(dut, name, manners):
    device = await device_of(dut, manners)
    test, *arguments = HOST_TESTS[name]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(test_commands, "connect", lambda ring_size=8: (
            RingHost(device, BASE, SIZE, ring_size=ring_size), device))
        await bridge(test)(*arguments)


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def a_list_takes_a_doorbell_and_an_acknowledgement(dut):
    device = await device_of(dut)

    def work():
        host = RingHost(device, BASE, SIZE, ring_size=8)
        memory, commands = host.memory, host.commands()
        x, w = benches.normal(6, 40), benches.normal(40, 4)
        c = memory.empty((6, 4))
        for _ in range(8):
            commands.gemm(memory.place(x), memory.place_weights(w), c)
        host.run(commands)  # switches the ring on
        device.writes.clear()
        host.run(commands)

    await bridge(work)()
    assert device.writes == [ADDRESSES[name] for name in ("RING_TAIL", "RING_IRQ_PENDING")]
    assert not int(dut.irq.value)


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def a_fault_names_its_command_and_the_rest_runs_after_a_resume(dut):
    device = await device_of(dut)

    def work():
        host = RingHost(device, BASE, SIZE, ring_size=16)
        memory, commands = host.memory, host.commands()
        x, w = benches.normal(6, 40), benches.normal(40, 4)
        results = [memory.empty((6, 4)) for _ in range(12)]
        for result in results:
            commands.gemm(memory.place(x), memory.place_weights(w), result)
        device.slave.errors[device.slave.asked + 40] = 2
        with pytest.raises(CommandFaultError) as caught:
            host.run(commands)
        assert caught.value.fault in (Fault.READ_SLVERR, Fault.WRITE_SLVERR)
        host.resume()
        first, *others = (result.read() for result in results)
        assert np.any(first) and all(np.array_equal(first, each) for each in others)

    await bridge(work)()


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def a_locked_window_is_kept_and_nothing_is_touched_outside(dut):
    device = await device_of(dut)

    def work():
        half = SIZE // 2
        host = RingHost(device, BASE, half, lock=True)
        with pytest.raises(BusError):
            device.write_register(ADDRESSES["WINDOW_END_LOW"], 0)
        assert device.read_register(ADDRESSES["WINDOW_END_LOW"]) == BASE + half
        memory, commands = host.memory, host.commands()
        x, w, c = (memory.place(benches.normal(6, 40)), memory.place_weights(
            benches.normal(40, 4)), memory.empty((6, 4)))
        commands.gemm(x, w, c)
        host.run(commands)
        # A host that does not know of the window.
        for count, operand in enumerate(("a", "b", "c"), 1):
            place = {"a": BASE, "b": BASE, "c": BASE + half - 4096} | {operand: BASE + half}
            command = Command(m=1, n=1, k=16, tiles=1, count_0=1, count_1=1, **place)
            device.write_memory(BASE + count * BYTES, command.pack())
            device.write_register(ADDRESSES["RING_TAIL"], count + 1)
            status = {"idle": 0}
            for _ in range(100):
                if status["idle"]:
                    break
                device.wait(1)
                status = REGISTER["RING_STATUS"].unpack(
                    device.read_register(ADDRESSES["RING_STATUS"]))
            assert status["fault"] == Fault.OUTSIDE
            device.write_register(ADDRESSES["RING_CONTROL"], RingCommand.SKIP)

    await bridge(work)()
    assert np.all(device.memory[SIZE // 2:] == 0xA5)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def registers_of_a_machine_between_streams_are_not_there(dut):
    device = await device_of(dut)

    def work():
        for name in ("JOB_M", "CONTROL", "TABLE_SELECT", "IRQ_PENDING"):
            with pytest.raises(BusError):
                device.write_register(ADDRESSES[name], 0)
        assert device.read_register(ADDRESSES["BUS_BYTES"]) == SMALL.bus_bytes
        status = REGISTER["RING_STATUS"].unpack(device.read_register(ADDRESSES["RING_STATUS"]))
        assert status["idle"] and not status["fault"]

    await bridge(work)()
    await drive.ticks(dut, 10)


@pytest.mark.parametrize("bus", ["one clock", *BUS_PERIODS])
def test_memory_accelerator(bus):
    if bus == "one clock":
        bench.simulate(MemoryAccelerator(SMALL), __name__, "memory_accelerator")
    else:
        bench.simulate(MemoryAccelerator(replace(SMALL, bus_clock=1)), __name__,
                       "top_of_two_clocks", label=bus, parameters={"bus_period": BUS_PERIODS[bus]})
