"""Sweeps: grids, points, what is kept on disk, and the same records from every kind of worker."""

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import Executor, Future
from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest

from commands.tests.calling import MIXDIT
from commands.tests.waiting import HANG_SECONDS, wait_until
from perf.studies.sweep import (
    ClusterError,
    Grid,
    GridError,
    Record,
    Store,
    StoreError,
    cluster,
    parse_axes,
    parse_axis,
    processes,
    read_grid,
    run,
    runner,
)
from perf.studies.sweep.evaluate import evaluate
from perf.studies.sweep.version import SOURCES
from perf.studies.system import compare, load_preset, run_model, silicon
from perf.workloads import load_models
from reporting.version import ROOT, code_version

AXES = {"cores": (1, 2), "drain_rows": (1, 3), "clock_hz": (0.5e9, 1e9)}
SMALL = Grid("edge", "mixdit", ("dit-256",), AXES)


class Here(Executor):
    """Runs what is submitted at once, and notes how many points each batch had."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    @property
    def count(self) -> int:
        """Points."""
        return sum(self.batches)

    def submit(self, function, /, batch):
        future: Future = Future()
        future.set_result(function(batch))
        self.batches.append(len(batch))
        return future


class Interrupted(Store):
    """Ctrl-C comes with the fourth record."""

    def add(self, record: Record) -> None:
        if len(self.records) == 3:
            raise KeyboardInterrupt
        super().add(record)


@pytest.fixture(scope="module")
def records(tmp_path_factory) -> list[Record]:
    return run(SMALL.points(), Store(tmp_path_factory.mktemp("sweep") / "a.jsonl"), Here())


class TestGrid:
    """Grids from files and options."""

    def test_the_last_axis_changes_fastest(self):
        changes = [dict(point.changes) for point in SMALL.points()]
        assert len(changes) == 8
        assert changes[0] == {"cores": 1, "drain_rows": 1, "clock_hz": 0.5e9}
        assert changes[1] == {"cores": 1, "drain_rows": 1, "clock_hz": 1e9}
        assert changes[-1] == {"cores": 2, "drain_rows": 3, "clock_hz": 1e9}

    def test_the_projects_own_grid_has_at_least_500_points(self):
        points = read_grid().points()
        assert len(points) >= 500
        assert {name for name, _ in points[0].changes} >= {
            "rows", "cols", "drain_rows", "tiles", "cores", "dram_bytes_per_s"}

    @pytest.mark.parametrize(("text", "says"), [
        ("preset = ", "is not TOML"),
        ("speed = 1", "has a key 'speed'"),
        ("[axes]\nwheels = [4]", "There is no axis 'wheels'"),
        ("policy = 'mx7'\n[axes]\ncores = [1]", "There is no policy 'mx7'"),
        ("models = ['dit']\n[axes]\ncores = [1]", "There is no model 'dit'"),
        ("models = 'dit-256'\n[axes]\ncores = [1]", "models must be a list"),
        ("models = []\n[axes]\ncores = [1]", "at least one axis and one model"),
        ("preset = 3\n[axes]\ncores = [1]", "preset and policy must be names"),
        ("axes = 3", "axes must be a table"),
        ("[axes]\ncores = 2", "the axis cores must be a list"),
        ("[axes]\ncores = [[2]]", "the axis cores must be a list"),
        ("[axes]\nrows = ['3x']", "rows must be a number or \"auto\", not '3x'"),
        ("[axes]\ncores = []", "needs values, each of them once"),
        ("[axes]\ncores = [2, 2]", "needs values, each of them once"),
        ("preset = 'server'", "at least one axis"),
    ])
    def test_what_is_no_grid_is_refused_with_a_sentence(self, tmp_path, text, says):
        path = tmp_path / "grid.toml"
        path.write_text(text)
        with pytest.raises(GridError, match=says):
            read_grid(path)

    def test_a_missing_file_is_named(self, tmp_path):
        with pytest.raises(GridError, match=r"nowhere\.toml cannot be read"):
            read_grid(tmp_path / "nowhere.toml")

    def test_a_missing_preset_is_named(self):
        with pytest.raises(ValueError, match="no preset 'mainframe'"):
            replace(SMALL, preset="mainframe").points()

    def test_options_add_to_axes_or_replace_them(self):
        assert SMALL.changed({"cores": (4,)}).axes == {**AXES, "cores": (4,)}
        changed = SMALL.changed({"rows": (4,)}, instead=True, policy="mx9", models=["sd3-1024"])
        assert changed == Grid("edge", "mx9", ("sd3-1024",), {"rows": (4,)})

    def test_an_axis_is_read_as_toml_or_as_words(self):
        assert parse_axis("cores=1,2") == ("cores", (1, 2))
        assert parse_axis("clock_hz=1e9, 0.5e9") == ("clock_hz", (1e9, 0.5e9))
        assert parse_axis("tiles=auto,4") == ("tiles", ("auto", 4))

    @pytest.mark.parametrize("text", ["cores", "cores=", "=3", ""])
    def test_what_is_no_axis_is_refused(self, text):
        with pytest.raises(GridError, match="written name=value"):
            parse_axis(text)

    def test_an_axis_is_given_once(self):
        assert parse_axes(["cores=1", "rows=4"]) == {"cores": (1,), "rows": (4,)}
        with pytest.raises(GridError, match="The axis cores is given twice"):
            parse_axes(["cores=1", "rows=4", "cores=2"])

    @pytest.mark.parametrize("text", ["multicast=yes", "multicast=1", "multicast=true,auto"])
    def test_a_flag_is_true_or_false(self, text):
        with pytest.raises(GridError, match="On an axis, multicast must be true or false, not"):
            Grid("edge", "mx9", ("sd3-1024",), parse_axes([text]))

    @pytest.mark.parametrize("text", ["cores=[1]", "cores={a = 1}", "cores=2020-01-01"])
    def test_a_value_that_is_neither_number_nor_word_is_refused(self, text):
        with pytest.raises(GridError, match='cores must be a number or "auto"'):
            Grid("edge", "mx9", ("sd3-1024",), parse_axes([text]))


class TestPoint:
    """What a point's machine is, and what its key depends on."""

    def test_drain_rows_follow_the_columns(self):
        point = replace(SMALL.points()[0], changes=(("drain_rows", 2), ("cols", 32)))
        assert point.machine().drain_lanes == 64

    def test_drain_rows_and_drain_lanes_contradict(self):
        point = replace(SMALL.points()[0], changes=(("drain_rows", 2), ("drain_lanes", 32)))
        with pytest.raises(ValueError, match="say the same thing"):
            point.machine()

    def test_auto_leaves_the_choice_open(self):
        point = replace(SMALL.points()[0], changes=(("tiles", "auto"), ("split", "auto")))
        assert point.machine() == replace(load_preset("edge"), tiles=None, split="auto")

    def test_a_key_depends_on_everything_but_the_order_of_changes(self):
        point = SMALL.points()[0]
        key = point.key("1")
        assert replace(point, changes=point.changes[::-1]).key("1") == key
        others = [
            point.key("2"), SMALL.points()[1].key("1"), replace(point, policy="mx6").key("1"),
            replace(point, models=("dit-512",)).key("1"),
            replace(point, preset=replace(point.preset, vector_lanes=1)).key("1")]
        assert len({key, *others}) == 6

    def test_the_version_changes_with_content_and_name_of_any_source(self, tmp_path):
        missing = [pattern for pattern in SOURCES if not list(ROOT.glob(pattern))]
        assert missing in ([], ["perf/rtl/ppa/*.json"]), "only measured gates are optional"
        (tmp_path / "hw").mkdir()
        (tmp_path / "hw" / "a.py").write_text("a = 1\n")
        versions = [code_version.__wrapped__(SOURCES, tmp_path)]
        (tmp_path / "hw" / "a.py").write_text("a = 2\n")
        versions.append(code_version.__wrapped__(SOURCES, tmp_path))
        (tmp_path / "hw" / "a.py").rename(tmp_path / "hw" / "b.py")
        versions.append(code_version.__wrapped__(SOURCES, tmp_path))
        (tmp_path / "hw" / "array").mkdir()
        (tmp_path / "hw" / "b.py").rename(tmp_path / "hw" / "array" / "b.py")
        versions.append(code_version.__wrapped__(SOURCES, tmp_path))
        (tmp_path / "hw" / "array" / "b.py").write_text("a = 3\n")
        versions.append(code_version.__wrapped__(SOURCES, tmp_path))
        assert len(set(versions)) == 5


class TestStore:
    """What is on disk."""

    RECORD = Record("k", {"cores": 1}, "", {"seconds": 0.1 + 0.2})

    def test_what_is_added_is_read_again_to_the_bit(self, tmp_path):
        Store(tmp_path / "new" / "a.jsonl").add(self.RECORD)
        assert Store(tmp_path / "new" / "a.jsonl").records == {"k": self.RECORD}

    def test_a_half_written_line_is_cut_off(self, tmp_path):
        path = tmp_path / "a.jsonl"
        path.write_text(self.RECORD.line() + replace(self.RECORD, key="l").line()[:-9])
        store = Store(path)
        assert store.records == {"k": self.RECORD}
        store.add(replace(self.RECORD, key="m"))
        assert list(Store(path).records) == ["k", "m"]

    @pytest.mark.parametrize("line", ["{", "3", '{"key": "k"}', "[]"])
    def test_a_line_that_is_no_record_is_named(self, tmp_path, line):
        path = tmp_path / "a.jsonl"
        path.write_text(self.RECORD.line() + line + "\n")
        with pytest.raises(StoreError, match=r"Line 2 of .*a\.jsonl is no record"):
            Store(path)


class TestRun:
    """What is run, and what is not run twice."""

    def test_figures_are_those_of_the_model(self, records):
        point = SMALL.points()[1]
        machine = replace(load_preset("edge"), cores=1, drain_lanes=16, clock_hz=1e9)
        found = run_model(machine, load_models()["dit-256"], "mixdit")
        figures = records[1].figures
        assert dict(point.changes) == records[1].changes
        assert figures["models"]["dit-256"]["step_seconds"] == found.step_seconds
        assert figures["models"]["dit-256"]["perfect"] == compare(found).perfect
        assert figures["area_mm2"] == silicon(machine).area

    def test_refused_points_keep_their_sentence(self, records):
        refused = [record for record in records if record.refused]
        assert [record.changes["drain_rows"] for record in refused] == [3] * 4
        for record in refused:
            assert record.refused.startswith("drain_lanes must be cols=16 times a power of two")
            assert record.figures == {}

    def test_a_value_of_another_kind_is_refused(self):
        point = replace(SMALL.points()[0], changes=(("rows", "many"),))
        assert evaluate(point, "k").refused == (
            "rows must be a number or \"auto\", not 'many'")

    def test_what_a_store_has_is_not_run_again(self, tmp_path, records):
        path = tmp_path / "a.jsonl"
        first, again, more = Here(), Here(), Here()
        assert run(SMALL.points(), Store(path), first) == records
        assert run(SMALL.points(), Store(path), again) == records
        larger = SMALL.changed({"cores": (1, 2, 3)})
        assert len(run(larger.points(), Store(path), more)) == 12
        assert (first.count, again.count, more.count) == (8, 0, 4)

    def test_neighbours_whose_jobs_are_the_same_stay_together(self, tmp_path, monkeypatch):
        executor = Here()
        run(SMALL.points(), Store(tmp_path / "a.jsonl"), executor)
        assert executor.batches == [2, 2, 2, 2], "clocks together; cores and drain_rows apart"
        monkeypatch.setattr(runner, "BATCH", 3)
        many = Grid("edge", "mixdit", ("dit-256",), {"vector_lanes": (1, 2, 3, 4)})
        executor = Here()
        run(many.points(), Store(tmp_path / "b.jsonl"), executor)
        assert executor.batches == [3, 1]

    def test_another_version_of_the_code_runs_again(self, tmp_path, monkeypatch):
        path, executor = tmp_path / "a.jsonl", Here()
        run(SMALL.points(), Store(path), Here())
        monkeypatch.setattr(runner, "figures_version", lambda: "another")
        run(SMALL.points(), Store(path), executor)
        assert executor.count == 8

    def test_an_interrupt_keeps_what_is_done(self, tmp_path, records):
        path, rest = tmp_path / "a.jsonl", Here()
        with pytest.raises(KeyboardInterrupt):
            run(SMALL.points(), Interrupted(path), Here())
        assert len(Store(path).records) == 3
        assert run(SMALL.points(), Store(path), rest) == records
        assert rest.count == 5

    def test_progress_counts_to_the_end(self, tmp_path):
        seen = []
        run(SMALL.points()[:3], Store(tmp_path / "a.jsonl"), Here(),
            on_progress=lambda done, total: seen.append((done, total)))
        assert [total for _, total in seen] == [3, 3, 3]
        assert seen[0][0] == 0 < seen[1][0] < seen[2][0] == 3

    def test_processes_find_the_same(self, tmp_path, records):
        with processes(2) as workers:
            assert run(SMALL.points(), Store(tmp_path / "a.jsonl"), workers) == records


class TestCtrlC:
    """A sweep that is interrupted from outside."""

    def test_keeps_what_is_done_and_exits_with_130(self, tmp_path):
        path = tmp_path / "a.jsonl"
        process = subprocess.Popen(
            [*MIXDIT, "study", "sweep", "--model", "dit-256", "--jobs", "1", "--store", str(path)],
            cwd=ROOT, stderr=subprocess.PIPE, text=True,
            # A shell's background job ignores interrupts, and so would what it starts.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
        try:
            wait_until(lambda: process.poll() is not None
                       or (path.exists() and path.stat().st_size))
            process.send_signal(signal.SIGINT)
            _, output = process.communicate(timeout=HANG_SECONDS)
        finally:
            process.kill()
        assert process.returncode == 130
        assert "is kept" in output
        assert 0 < len(Store(path).records) < len(read_grid().points())


class TestCluster:
    """Workers elsewhere."""

    @pytest.mark.parametrize("address", ["", "localhost:8786", "tcp://host", "tcp://host:port",
                                         "http://host:1"])
    def test_what_is_no_address_is_refused(self, address):
        with pytest.raises(ClusterError, match="address is tcp://HOST:PORT"), cluster(address):
            pass

    def test_without_distributed_it_says_what_to_install(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "distributed", None)
        with pytest.raises(ClusterError, match="pip install"), cluster("tcp://127.0.0.1:1"):
            pass

    def test_a_cluster_that_does_not_answer_is_named(self, monkeypatch):
        monkeypatch.setattr(runner, "CONNECT_SECONDS", 0.5)
        with (pytest.raises(ClusterError, match=r"answers at tcp://127.0.0.1:9"),
              cluster("tcp://127.0.0.1:9")):
            pass

    def test_two_workers_find_the_same_as_processes(self, two_workers, tmp_path, records):
        with cluster(two_workers) as workers:
            found = run(SMALL.points(), Store(tmp_path / "a.jsonl"), workers)
        assert found == records
        assert [json.dumps(vars(each)) for each in found] == [
            json.dumps(vars(each)) for each in records]

    def test_workers_of_another_version_are_refused(self, two_workers, monkeypatch):
        here = os.getpid()

        def version():
            return "this" if os.getpid() == here else "another"

        monkeypatch.setattr(runner, "figures_version", version)
        with pytest.raises(ClusterError, match="another version"), cluster(two_workers):
            pass


@pytest.fixture(scope="module")
def two_workers() -> str:
    distributed = pytest.importorskip("distributed", reason="dask.distributed is not installed")
    import dask

    patient = {f"distributed.comm.timeouts.{name}": f"{HANG_SECONDS} s"
               for name in ("connect", "tcp")}
    with (mock.patch.object(runner, "CONNECT_SECONDS", HANG_SECONDS), dask.config.set(patient),
          distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None,
                                  local_directory=str(Path(ROOT, "build", "dask"))) as local):
        yield local.scheduler_address
