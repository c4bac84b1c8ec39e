"""What whole-model figures rest on: the network and the host as bounds, and the study of each."""

from dataclasses import replace

import pytest

from golden.formats import BLOCK_SIZE
from perf.studies.report.sensitivity import assumption_table, assumptions_record, study_assumptions
from perf.studies.system import POLICIES, Bound, compare, load_preset, run_model
from perf.studies.system.assumptions import ASSUMPTIONS
from perf.studies.system.attention import divide_attention
from perf.studies.system.layers import LayerKind, layers_of
from perf.studies.system.work import divide_linear
from perf.workloads import load_models

SERVER, MODELS = load_preset("server"), load_models()
MX6 = POLICIES["mx6"]


def layer_of(model, kind):
    return next(layer for layer in layers_of(MODELS[model]) if layer.kind is kind)


def test_a_linear_layer_sends_rows_to_every_slice_and_weights_to_every_part():
    tokens = replace(SERVER, split="tokens")
    layer = layer_of("dit-256", LayerKind.LINEAR)
    work = divide_linear(tokens, layer, MX6, True)
    gemm = layer.gemms[0]
    weights = sum(each.n * (12 * gemm.k // BLOCK_SIZE + 4 * each.bias) for each in layer.gemms)
    rows = 2 * (gemm.a_elements + sum(each.c_elements for each in layer.gemms)
                + layer.residual_elements)
    passed = layer.samples * work.groups * weights
    assert gemm.k % BLOCK_SIZE == 0
    assert (work.network.once, work.network.copies) == (rows + passed, rows + 128 * passed)
    assert work.jobs == 128 * layer.samples
    columns = divide_linear(replace(SERVER, split="columns"), layer, MX6, True)
    assert columns.network.copies - columns.network.once == 127 * 2 * gemm.a_elements


def test_an_attention_sends_k_and_v_packed_to_every_core_of_a_head():
    layer = layer_of("dit-256", LayerKind.ATTENTION)
    work = divide_attention(SERVER, layer, MX6, True)
    heads = int(work.division.split()[0])
    members = SERVER.cores // heads
    qk, pv = layer.gemms
    k_packed = qk.count * qk.n * 12 * -(-qk.k // BLOCK_SIZE)
    v_packed = pv.count * pv.n * 12 * -(-pv.k // BLOCK_SIZE)
    tiles = int(work.division.rpartition("T=")[2])
    groups = -(-qk.m // (SERVER.rows * members * tiles))
    moved = 2 * (qk.a_elements + pv.c_elements + qk.b_elements + pv.b_elements)
    packed = k_packed + v_packed
    assert work.network.once == moved + packed + groups * packed
    assert work.network.copies == moved + packed + members * groups * packed
    assert work.jobs == qk.count * members * (2 + 2 * groups)


def test_a_slow_network_makes_every_layer_wait_for_it():
    model = MODELS["dit-512"]
    shared = replace(SERVER, network_bytes_per_s=1e9)
    run = run_model(shared, model)
    assert {layer.bound for layer in run.layers} == {Bound.NETWORK}
    copies = run_model(replace(shared, multicast=False), model)
    assert copies.step_seconds > 2 * run.step_seconds
    assert shared.bounds == [Bound.COMPUTE, Bound.MEMORY, Bound.VECTOR, Bound.NETWORK]


def test_a_slow_host_takes_its_time_for_every_job():
    slow = replace(SERVER, job_s=1e-3, cores=1, split="tokens")
    run = run_model(slow, MODELS["dit-256"])
    assert {layer.bound for layer in run.layers} == {Bound.HOST}
    linear = next(layer for layer in run.layers if layer.kind == "linear")
    assert linear.host == 2e-3  # a job for each of the two samples


@pytest.mark.parametrize("changed, word", [
    ({"network_bytes_per_s": 0}, "network_bytes_per_s"),
    ({"network_bytes_per_s": True}, "network_bytes_per_s"),
    ({"multicast": 1}, "multicast"), ({"job_s": -1e-6}, "job_s")])
def test_strange_networks_and_hosts_are_refused(changed, word):
    with pytest.raises(ValueError, match=word):
        replace(SERVER, **changed)


def test_each_assumption_makes_the_machine_faster():
    outcomes = study_assumptions(SERVER, [MODELS["dit-256"]], "mixdit")
    assert len(outcomes) == 1 + sum(len(each.instead) for each in ASSUMPTIONS)
    assumed, *others = (outcome.entries[0].comparison.perfect for outcome in outcomes)
    assert assumed == compare(run_model(SERVER, MODELS["dit-256"], "mixdit")).perfect
    assert all(other < assumed for other in others)
    assert min(others) < 0.1 * assumed, "the host's"
    rows = assumption_table(SERVER, outcomes).rows
    assert [row.cells[2] for row in rows] == [f"{each:.2f}" for each in (assumed, *others)]
    record = assumptions_record(SERVER, outcomes)
    assert record["outcomes"][0]["models"]["dit-256"]["perfect"] == assumed
