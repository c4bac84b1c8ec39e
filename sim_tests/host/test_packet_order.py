"""The packets of a job: each number travels once, in the order of the loops."""

from dataclasses import replace

import numpy as np
import pytest

import golden
from golden import MX6, MX9
from golden.packing import weight_stream
from hw.contract.config import Config
from hw.contract.job_codes import JobKind, Output
from hw.host.driver import Job
from hw.host.packet_order import (
    activation_packets,
    assemble_packed,
    assemble_rows,
    conversion_packets,
    packed_result_chunks,
    packet_bytes,
    result_packets,
    result_rows,
)

SIZES = [Config.sized(rows=4, cols=4), Config.sized(rows=3, cols=5, drain_lanes=20),
         Config.sized(rows=8, cols=2, act_bytes=4, drain_lanes=8),
         Config.sized(rows=2, cols=32, act_bytes=16)]


@pytest.mark.parametrize("config", SIZES, ids=lambda config: f"{config.rows}x{config.cols}")
@pytest.mark.parametrize(("m", "n", "k", "tiles"), [(1, 1, 1, 1), (25, 37, 20, 2), (8, 64, 33, 3)])
def test_every_number_travels_once(config, m, n, k, tiles):
    job = Job(m=m, n=n, k=k, tiles=tiles)
    shapes = {JobKind.GEMM: (m, k), JobKind.GEMM_PACKED: (m, k), JobKind.CONVERT: (n, k),
              JobKind.CONVERT_TRANSPOSED: (k, n)}
    listed = [(activation_packets(config, replace(job, kind=kind)), shape)
              for kind, shape in shapes.items()]
    listed += [(conversion_packets(config, job), (k, n)), (result_packets(config, job), (m, n))]
    if config.packs_results:
        listed.append((packed_result_chunks(config, job), (m, n)))
    for parts, shape in listed:
        seen = np.zeros(shape, int)
        for row, rows, col, cols in parts:
            assert row + rows <= shape[0] and col + cols <= shape[1]
            seen[row : row + rows, col : col + cols] += 1
        assert (seen == 1).all()
    assert all(part.rows <= config.drain_rows and part.cols <= config.cols
               for part in result_packets(config, job))


def test_results_leave_in_the_order_of_the_loops():
    config = Config.sized(rows=4, cols=8, drain_lanes=16)
    job = Job(m=11, n=20, k=1, tiles=2)
    # Group of two token tiles > column tile > token tile > two rows at a time.
    assert [tuple(part) for part in result_packets(config, job)] == [
        (row, rows, col, cols)
        for group in ([(0, 2), (2, 2), (4, 2), (6, 2)], [(8, 2), (10, 1)])
        for col, cols in ((0, 8), (8, 8), (16, 4)) for row, rows in group]
    assert list(result_rows(config, job)) == [
        (row, col, cols) for group in (range(8), range(8, 11))
        for col, cols in ((0, 8), (8, 8), (16, 4)) for row in group]
    assert [tuple(part) for part in packed_result_chunks(config, job)] == [
        (0, 4, 0, 16), (4, 4, 0, 16), (0, 4, 16, 4), (4, 4, 16, 4), (8, 3, 0, 16), (8, 3, 16, 4)]
    wide = Config.sized(rows=4, cols=32)
    assert [tuple(part) for part in packed_result_chunks(wide, replace(job, m=7, n=50))] == [
        (0, 4, 0, 16), (0, 4, 16, 16), (4, 3, 0, 16), (4, 3, 16, 16),
        (0, 4, 32, 16), (0, 4, 48, 2), (4, 3, 32, 16), (4, 3, 48, 2)]


@pytest.mark.parametrize("config", SIZES, ids=lambda config: f"{config.rows}x{config.cols}")
@pytest.mark.parametrize(("output", "kind"), [(Output.FP32, "<u4"), (Output.FP16, "<u2"),
                                              (Output.BF16, "<u2")])
def test_rows_are_put_together(config, output, kind):
    job = Job(m=21, n=70, k=1, tiles=2, output=output)
    c = np.random.default_rng(1).integers(0, 1 << 16, (job.m, job.n)).astype(kind)
    packets = []
    for part in result_packets(config, job):
        packets.append(b"".join(c[row, part.col : part.col + part.cols].tobytes()
                                for row in range(part.row, part.row + part.rows)))
        assert packet_bytes(config, job, part) == len(packets[-1])
    assert assemble_rows(config, job, packets) == [row.tobytes() for row in c]
    with pytest.raises(ValueError, match="shorter"):
        assemble_rows(config, job, packets[:-1])


@pytest.mark.parametrize("config", [size for size in SIZES if size.packs_results],
                         ids=lambda config: f"{config.rows}x{config.cols}")
@pytest.mark.parametrize("fmt", [MX6, MX9], ids=["mx6", "mx9"])
def test_packed_results_are_the_next_jobs_activations(config, fmt):
    job = Job(m=config.rows * 5 + 1, n=16 * 35 + 3, k=1, tiles=2,
              output=Output.MX6 if fmt is MX6 else Output.MX9)
    values = np.random.default_rng(2).standard_normal((job.m, job.n)).astype(np.float32)
    # Quantized along its columns, transposed: A as the weights of (n, m), m in token tiles.
    a = golden.quantize(values.T, fmt, axis=0)
    expected = weight_stream(a, config.rows, config.act_bytes)
    chunks = []
    for part in packed_result_chunks(config, job):
        block = golden.quantize(values[part.row : part.row + part.rows,
                                       part.col : part.col + part.cols].T, fmt, axis=0)
        alone = weight_stream(block, config.rows, config.act_bytes)
        assert len(alone) == 1
        chunks.append(alone[0][config.act_bytes:])  # without its beat of precisions
        assert packet_bytes(config, job, part) == len(chunks[-1])
    assert assemble_packed(config, job, chunks) == expected
