"""All of the vector unit: `hw.vector.vector_unit`."""

from hw.contract.config import Config
from hw.memory_machine import WORKS
from perf.rtl.bus_schedule.beside_reader import beside_fences, beside_pieces
from perf.rtl.bus_schedule.groups import Groups
from perf.rtl.bus_schedule.lane_results import LaneResults, neighbours
from perf.rtl.bus_schedule.ledger import Ledger
from perf.rtl.bus_schedule.network import Cycles, Step
from perf.rtl.bus_schedule.operand_loader import OperandLoader
from perf.rtl.bus_schedule.operand_reader import OperandReader
from perf.rtl.bus_schedule.pass_gate import PassGate
from perf.rtl.bus_schedule.read_channel import ReadChannel
from perf.rtl.bus_schedule.row_passes import RowPasses
from perf.rtl.bus_schedule.vector_pipe import VectorPipe
from perf.rtl.bus_schedule.work import Work

NUMBER_BYTES = 4


class VectorUnit:
    """Send results, and rows of passes, through the lanes.

    Parameters
    ----------
    config : Config
    channel : ReadChannel
        Of what lies beside.
    ledger : Ledger
    drained : Groups
        Of results.
    stored : list of int
        When each block was that is for the stage.

    Attributes
    ----------
    reader : OperandReader
        Of what lies beside.
    loader : OperandLoader
    passes : RowPasses
    pipe : VectorPipe
    results : LaneResults
    gate : PassGate
        Through which blocks come, and go back.
    """

    def __init__(self, config: Config, channel: ReadChannel, ledger: Ledger, drained: Groups,
                 stored: Cycles):
        self._config = config
        self.reader = OperandReader(config, channel, NUMBER_BYTES * config.vector_lanes,
                                    beside_pieces, beside_fences, ledger, WORKS)
        aligner = self.reader.aligner
        self.loader = OperandLoader(config, aligner.beats, aligner.taken)
        came: Cycles = []
        news: Cycles = []
        self.passes = RowPasses(config, came, news)
        self.pipe = VectorPipe(config, self.loader, drained, self.passes.numbers)
        self.results = LaneResults(config, self.pipe.starts, self.pipe.taken, news)
        self.gate = PassGate(stored, self.results.blocks, came, self.passes, news)

    def measure_job(self, work: Work, _: int) -> Step:
        """Measure the rows of a pass."""
        if work.is_pass:
            yield from self.passes.measure_job(work)

    def leave_job(self, work: Work, _: int) -> Step:
        """Let the rows of a pass go."""
        if work.is_pass:
            yield from self.passes.leave_job(work)

    def order_job(self, work: Work, start: int) -> Step:
        """Give a pass its turn to be measured."""
        if work.is_pass:
            yield from self.passes.order.merge_job(start)
        else:
            self.passes.order.skip_job(start)

    def load_job(self, work: Work, start: int) -> Step:
        """Load what lies beside a job."""
        if work.goes_through:
            yield from self.loader.load_job(work, start, sum(neighbours(self._config, work)))
        else:
            self.loader.skip_job(start)

    def run_job(self, work: Work, _: int) -> Step:
        """Send a job's numbers through the lanes."""
        if work.goes_through:
            yield from self.pipe.run_job(work)
        else:
            self.pipe.skip_job(work)

    def gather_job(self, work: Work, start: int) -> Step:
        """Gather what leaves the lanes."""
        if work.goes_through:
            yield from self.results.gather_job(work, start)
        else:
            self.results.skip_job(start)
