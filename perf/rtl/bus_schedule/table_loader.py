"""Static tags on their way into a table: `hw.memory.table_loader`."""

from golden.memory.checks import tagged_blocks
from golden.memory.descriptor import Command, JobFlag
from golden.memory.jobs import Selection
from hw.contract.config import Config
from perf.rtl.bus_schedule.ledger import Ledger
from perf.rtl.bus_schedule.network import Process
from perf.rtl.bus_schedule.read_channel import ReadChannel
from perf.rtl.schedule.latencies import NOT_YET, RELEASED

CLEARED = 1
"""A table is emptied; its words may be asked for."""

ENTERED = 2
"""Cycles of an entry."""

FORGOTTEN = 1
"""The last command that uses a table counts as ended; others may load it in the next cycle."""

LOADED = 3
"""After the last entry a cycle to empty the table if a word was bad, one to say so, and one in
which the dispatcher begins."""


class TableLoader:
    """Load static tags, when nobody uses the table any more.

    Parameters
    ----------
    config : Config
    channel : ReadChannel
        Of tables.
    ledger : Ledger
    """

    def __init__(self, config: Config, channel: ReadChannel, ledger: Ledger):
        self._tables, self._of_word = config.tables, 8 * config.bus_bytes
        self._channel, self._ledger = channel, ledger
        self._users: dict[int, int] = {}  # the last command that uses each table

    def note_start(self, number: int, command: Command) -> None:
        """Note that a job of a command starts, if it uses a table."""
        if (command.loads_order or command.loads_tags
                or command.flags & (JobFlag.REORDER | JobFlag.TAGGED)
                or command.selection == Selection.STATIC.value):
            self._users[command.table % self._tables] = number

    def load(self, number: int, command: Command, since: int) -> Process[int]:
        """Load what a command brings, from a cycle on; return when its first job may start."""
        ledger, channel, table = self._ledger, self._channel, command.table % self._tables
        ready = since
        if command.wait_side:
            ready = max(ready, (yield from ledger.count(number - command.wait_side + 1)))
        if table in self._users:
            ended = yield from ledger.count(self._users[table] + 1)
            ready = max(ready, ended + FORGOTTEN)
        blocks = tagged_blocks(command)
        asked = max(ready + 1 + CLEARED, channel.free)
        yield from channel.ask(command.tags, -(-blocks // 8), asked)
        cycle = word = NOT_YET
        for entry in range(blocks):
            if entry % self._of_word == 0:
                word = yield from channel.word()
            cycle = max(cycle, word) + ENTERED
            if entry == blocks - 1 or entry % self._of_word == self._of_word - 1:
                channel.left.append(cycle - 1)
        return cycle + LOADED - RELEASED
