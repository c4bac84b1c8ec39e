"""All of the vector unit: `hw.vector.vector_unit`."""

from hw.contract.config import Config
from hw.memory_machine import WORKS
from perf.rtl.bus_schedule.beside_reader import beside_fences, beside_pieces
from perf.rtl.bus_schedule.groups import Groups
from perf.rtl.bus_schedule.lane_results import LaneResults, neighbours
from perf.rtl.bus_schedule.ledger import Ledger
from perf.rtl.bus_schedule.network import Step
from perf.rtl.bus_schedule.operand_loader import OperandLoader
from perf.rtl.bus_schedule.operand_reader import OperandReader
from perf.rtl.bus_schedule.read_channel import ReadChannel
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

    Attributes
    ----------
    reader : OperandReader
        Of what lies beside.
    loader : OperandLoader
    pipe : VectorPipe
    results : LaneResults
    """

    def __init__(self, config: Config, channel: ReadChannel, ledger: Ledger, drained: Groups):
        self._config = config
        self.reader = OperandReader(config, channel, NUMBER_BYTES * config.vector_lanes,
                                    beside_pieces, beside_fences, ledger, WORKS)
        aligner = self.reader.aligner
        self.loader = OperandLoader(config, aligner.beats, aligner.taken)
        self.pipe = VectorPipe(config, self.loader, drained, Groups())
        self.results = LaneResults(config, self.pipe.starts, self.pipe.taken)

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
