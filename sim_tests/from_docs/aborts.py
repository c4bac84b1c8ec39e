"""Abort, resume and reset."""


from cocotb.triggers import RisingEdge

from sim_tests.from_docs import pins
from sim_tests.from_docs.jobs import (
    plan_gemm,
    random_matrix,
    random_weights,
    select_static,
    select_top,
)
from sim_tests.from_docs.machine import Machine
from sim_tests.from_docs.pins import ABORT, ENDED, MX9, REFUSED, RESULT_BYTES, RESUME
from sim_tests.from_docs.runs import (
    SETTINGS,
    cocotb_test,
    conversion_of,
    expect_end,
    in_beats,
    run_gemm,
    send_gemm,
)


@cocotb_test
async def abort_and_resume(dut):
    """An abort in the middle of a job and of a packet of results, and a good job after it."""
    machine = await Machine.begin(dut, 13)
    rng = machine.rng
    k = 40
    plan = plan_gemm(random_matrix(rng, 6, k), random_weights(rng, 5, k), selection=select_top(1))
    await run_gemm(machine, plan)
    cycles = await machine.counter("CYCLES")

    # Two of a packet's beats leave, a third is offered, the rest of the rows is on its way.
    job, packets, results = conversion_of(rng, 9, k)
    for packet in packets[:6]:
        machine.act.send(packet)
    machine.act.send_beats(in_beats(packets[6], pins.ACT_BYTES)[:2], is_ended=False)
    machine.out.allowance = 2
    assert await machine.start(job) == 0
    assert await machine.start(job) == 0
    await machine.wait_taken()
    await machine.edges(100)
    assert len(machine.out.unfinished) == 2 and dut.m_axis_out_tvalid.value == 1
    await machine.write(pins.CONTROL, ABORT)
    status = await machine.read(pins.STATUS)
    assert status & 0xFF == 0 and status >> 16 == 0b11
    assert await machine.start(plan.job) == 13

    # Everything is swallowed, a beat in every cycle.
    machine.act.send_beats(in_beats(packets[6], pins.ACT_BYTES)[2:])
    for packet in plan.wgt_packets * 3:
        machine.wgt.send(packet)
    for packet in packets * 3:
        machine.act.send(packet)
    while not (machine.act.is_empty and machine.wgt.is_empty):
        await RisingEdge(dut.aclk)
        assert dut.s_axis_act_tready.value == 1 and dut.s_axis_wgt_tready.value == 1

    # The offered beat stays; then the packet is ended by a beat that holds nothing.
    machine.out.allowance = None
    while await machine.read(pins.STATUS) & 1 << 17:
        pass
    assert machine.out.unfinished == []
    (packet,) = machine.out.packets
    assert packet[-1] == (None,) * RESULT_BYTES
    assert packet[:-1] == results[0][: len(packet) - 1] and len(packet) >= 4
    machine.out.clear()

    # What the last job that ended left is still there; a packet cut by RESUME is dropped.
    assert await machine.read(pins.JOBS_ENDED) == 1
    assert await machine.counter("CYCLES") == cycles
    assert await machine.read(pins.IRQ_PENDING) == ENDED | REFUSED
    machine.act.send_beats(in_beats(packets[0], pins.ACT_BYTES)[:2], is_ended=False)
    weight_beats = in_beats(plan.wgt_packets[0], pins.WEIGHT_BYTES)
    machine.wgt.send_beats(weight_beats[:2], is_ended=False)
    await machine.wait_taken()
    await machine.write(pins.CONTROL, RESUME)
    assert not await machine.read(pins.STATUS) & 1 << 16
    machine.act.send_beats(in_beats(packets[0], pins.ACT_BYTES)[2:])
    machine.wgt.send_beats(weight_beats[2:])
    await run_gemm(machine, plan)
    for packet in packets:
        machine.act.send(packet)
    assert await machine.start(job) == 0
    await expect_end(machine, results, {})


@cocotb_test
async def reset_in_a_job(dut):
    """One cycle of reset at many moments of a job; all is as after power-up."""
    machine = await Machine.begin(dut, 14)
    rng = machine.rng
    k = 33
    tags = [True, False, False]
    order = rng.sample(range(k), k)
    plan = plan_gemm(
        random_matrix(rng, 9, k),
        random_weights(rng, 6, k),
        selection=select_static(tags),
        order=order,
        table=0,
        target=MX9,
        group_tiles=2,
    )
    slots = await machine.read(pins.CONSTANTS["JOB_SLOTS"])
    for moment in range(5, 200, 39):
        await machine.load_table(0, order, tags)
        await machine.write(pins.IRQ_ENABLE, ENDED)
        send_gemm(machine, plan)
        machine.out.pause_chance = 0.5
        assert await machine.start(plan.job) == 0
        await machine.edges(moment)
        await machine.reset(edges=1 + moment % 3)
        for address in SETTINGS:
            assert await machine.read(address) == 0
        for address in (
            pins.JOBS_ENDED,
            pins.REFUSAL,
            pins.JOB_FAULTS,
            pins.IRQ_PENDING,
            *range(0x100, 0x148, 4),
        ):
            assert await machine.read(address) == 0, hex(address)
        assert await machine.read(pins.STATUS) == slots << 8
        assert await machine.start(plan.job) == 15
        assert await machine.start(plan.job | {"FLAGS": 0}) == 16
    await machine.load_table(0, order, tags)
    await run_gemm(machine, plan)


@cocotb_test
async def ready_around_reset(dut):
    """No tready from the edge that sees aresetn low to the end of the cycle after the last one."""
    machine = await Machine.begin(dut, 15)
    rng = machine.rng
    for resets in (1, 3):
        # A drain is when both inputs are always ready; beats are offered all the time.
        await machine.write(pins.CONTROL, ABORT)
        machine.act.send(rng.randbytes(1000))
        machine.wgt.send(rng.randbytes(500))
        await machine.edges(4)
        assert dut.s_axis_act_tready.value == 1 and dut.s_axis_wgt_tready.value == 1
        dut.aresetn.value = 0
        for i in range(resets):
            await RisingEdge(dut.aclk)
            if i:
                assert dut.s_axis_act_tready.value == 0 and dut.s_axis_wgt_tready.value == 0
        dut.aresetn.value = 1
        await RisingEdge(dut.aclk)
        assert dut.s_axis_act_tvalid.value == 1 and dut.s_axis_wgt_tvalid.value == 1
        assert dut.s_axis_act_tready.value == 0 and dut.s_axis_wgt_tready.value == 0
        await machine.reset()
        plan = plan_gemm(
            random_matrix(rng, 2, 5), random_weights(rng, 2, 5), selection=select_top(0)
        )
        await run_gemm(machine, plan)
