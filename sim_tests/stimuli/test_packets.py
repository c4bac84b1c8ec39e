"""Random jobs without a machine: their packets say what they must, and hw's and golden's agree."""

import itertools

import numpy as np
import pytest

from golden import MX6, MX9
from golden.unpacking import read_activation_tiles, read_weight_stream, tiles_of_chunks
from hw.contract.job_codes import JobKind, Output
from hw.host.packet_order import (
    Part,
    activation_packets,
    assemble_packed,
    assemble_rows,
    conversion_packets,
    packed_result_chunks,
    packet_bytes,
    result_packets,
    weight_passes,
)
from hw.host.work import act_packets, weight_packets
from sim_tests.stimuli.packets import read_rows
from simulation.machines import MATRIX
from simulation.works.expected import expected_counts, expected_results, operand_a, operand_b
from simulation.works.random_works import random_work


@pytest.fixture(params=MATRIX)
def config(request):
    return MATRIX[request.param]


def works(config, *kinds, count=25):
    """Draw jobs of some kinds."""
    rng = np.random.default_rng(2)
    drawn = (random_work(config, rng) for _ in itertools.count())
    return list(itertools.islice((work for work in drawn if work.job.kind in kinds), count))


def bits(tensor):
    return tensor.dequantize().view(np.uint32).tolist()


def test_rows_of_floats_are_the_parts_that_the_driver_lists(config):
    for work in works(config, JobKind.GEMM, JobKind.CONVERT, JobKind.CONVERT_TRANSPOSED):
        parts = activation_packets(config, work.job)
        for part, packet in zip(parts, act_packets(config, work), strict=True):
            rows = work.activations[part.row : part.row + part.rows]
            assert packet == rows[:, part.col : part.col + part.cols].tobytes()


def test_packed_operands_can_be_read_back(config):
    for work in works(config, JobKind.GEMM_PACKED):
        job, packets = work.job, act_packets(config, work)
        assert len(packets) == len(list(activation_packets(config, job)))
        a = read_activation_tiles(packets, (job.m, job.k), config.rows, config.act_bytes)
        assert bits(a) == bits(work.activations) == bits(operand_a(config, work))
        head = -(-4 * min(config.cols, job.n) // config.weight_bytes) * config.weight_bytes
        packets = weight_packets(config, work)
        if job.bias:
            assert packets[0].startswith(work.bias[: config.cols].tobytes())
            last = -(-4 * ((job.n - 1) % config.cols + 1) // config.weight_bytes)
            heads = [head] * (len(packets) - 1) + [last * config.weight_bytes]
            packets = [packet[at:] for packet, at in zip(packets, heads, strict=True)]
        b = read_weight_stream(packets, (job.k, job.n), config.cols, config.weight_bytes)
        assert bits(b) == bits(work.weights)


def test_conversions_give_the_weights_of_a_later_job(config):
    for work in works(config, JobKind.CONVERT, JobKind.CONVERT_TRANSPOSED):
        job, packets = work.job, expected_results(config, work)
        assert len(packets) == len(list(conversion_packets(config, job)))
        b = read_weight_stream(packets, (job.k, job.n), config.cols, config.weight_bytes)
        assert bits(b) == bits(operand_b(config, work))
        assert not weight_packets(config, work) and not weight_passes(config, job)
        assert expected_counts(config, work)["beats"] == 0


def test_results_are_the_parts_that_the_driver_lists(config):
    rng, packed = np.random.default_rng(3), 0
    for work in works(config, JobKind.GEMM, JobKind.GEMM_PACKED):
        job, results = work.job, expected_results(config, work)
        if job.is_packed:
            packed += 1
            lengths = [packet_bytes(config, job, part)
                       for part in packed_result_chunks(config, job)]
            assert [len(packet) for packet in results] == lengths
            fmt = MX9 if job.output is Output.MX9 else MX6
            assert assemble_packed(config, job, results) == tiles_of_chunks(
                results, (job.m, job.n), fmt, config.rows, job.tiles, config.act_bytes,
                config.cols)
            continue
        packets = []
        for part in result_packets(config, job):
            data, keep = beat(config, results, part, rng)
            rows = read_rows(config, job, part, data, keep)
            expected = results[part.row : part.row + part.rows, part.col : part.col + part.cols]
            assert rows.tolist() == expected.tolist()
            packets.append(data[keep].tobytes())
            keep[0] = False
            with pytest.raises(AssertionError, match="is at the bytes"):
                read_rows(config, job, part, data, keep)
        assert b"".join(assemble_rows(config, job, packets)) == results.tobytes()
    assert bool(packed) == config.packs_results


def beat(config, results, part: Part, rng) -> tuple[np.ndarray, np.ndarray]:
    """Lay a part of C out as the machine does: number by number."""
    data = rng.integers(0, 256, config.result_bytes).astype(np.uint8)
    keep = np.zeros(config.result_bytes, np.bool_)
    size = results.itemsize
    for row in range(part.rows):
        for col in range(part.cols):
            at = row * config.row_bytes * size // 4 + col * size
            number = int(results[part.row + row, part.col + col])
            data[at : at + size] = list(number.to_bytes(size, "little"))
            keep[at : at + size] = True
    return data, keep
