"""Works and outcomes survive the way to the simulator and back."""

import numpy as np

from examples.job_files import Outcome, read_outcomes, read_works, write_outcomes, write_works
from examples.tests.helpers import TINY_CONFIG
from hw.contract.job_codes import JobKind, Output
from sim_tests.stimuli.packets import act_packets, weight_packets
from sim_tests.stimuli.random_works import random_work


def test_works_of_every_kind_are_read_as_they_were_written(tmp_path):
    rng = np.random.default_rng(0)
    groups = [[random_work(TINY_CONFIG, rng) for _ in range(size)] for size in (1, 30, 9)]
    write_works(tmp_path, groups)
    back = read_works(tmp_path)
    assert [len(group) for group in back] == [1, 30, 9]
    flat, read = ([work for group in each for work in group] for each in (groups, back))
    assert {work.job.kind for work in flat} == set(JobKind)
    assert {work.job.output for work in flat} == set(Output)
    assert any(work.order is not None for work in flat)
    assert any(work.static_tags is not None for work in flat)
    for ours, theirs in zip(flat, read, strict=True):
        assert ours.job == theirs.job
        assert act_packets(TINY_CONFIG, ours) == act_packets(TINY_CONFIG, theirs)
        assert weight_packets(TINY_CONFIG, ours) == weight_packets(TINY_CONFIG, theirs)
        for name in ("bias", "order", "static_tags"):
            left, right = (getattr(work, name) for work in (ours, theirs))
            assert (left is None) == (right is None)
            assert left is None or left.tobytes() == right.tobytes()


def test_conversions_alone_have_no_tensors(tmp_path):
    rng = np.random.default_rng(1)
    works = (random_work(TINY_CONFIG, rng) for _ in range(100))
    converts = next(work for work in works if work.job.converts)
    write_works(tmp_path, [[converts]])
    assert read_works(tmp_path)[0][0].activations.tobytes() == converts.activations.tobytes()


def test_outcomes_are_read_as_they_were_written(tmp_path):
    outcomes = [
        Outcome(np.arange(6, dtype=np.uint32).reshape(2, 3), {"cycles": 1}),
        Outcome([b"\x01\x02", b"\x03" * 40, *[bytes([n]) for n in range(12)]], None),
        Outcome(np.full((1, 1), 0x7E00, np.uint16), {"cycles": 2}),
    ]
    write_outcomes(tmp_path, outcomes)
    back = read_outcomes(tmp_path)
    assert [each.counters for each in back] == [{"cycles": 1}, None, {"cycles": 2}]
    assert back[1].results == outcomes[1].results
    for index in (0, 2):
        assert back[index].patterns.dtype == outcomes[index].patterns.dtype
        assert back[index].patterns.tolist() == outcomes[index].patterns.tolist()
