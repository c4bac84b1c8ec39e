"""A model of the engines: who hands on to whom, job after job."""

from amaranth import Array, Cat, Mux, Signal

from formal.harness import Harness

JOBS, ITEMS = 4, 2
"""Jobs in all, and what each engine does for one: a tile, a row, a packet."""

ENDS = JOBS * ITEMS

GEMMS, CONVERSIONS, ALL = (0,), (1,), (0, 1)
"""Kinds of jobs, by whether they convert."""

ENGINES = {
    "activation_path": ALL, "tile_router": ALL, "tile_writer": GEMMS, "weight_loader": GEMMS,
    "array": GEMMS, "mx_packer": CONVERSIONS, "result_stream": ALL}
"""Which jobs each engine works on. The array stands for what the proof `engines` is of."""

ROOM = {
    ("activation_path", "tile_router"): 1, ("tile_router", "tile_writer"): 1,
    ("tile_writer", "array"): 2, ("weight_loader", "array"): 2, ("array", "result_stream"): 2,
    ("tile_router", "mx_packer"): 1, ("mx_packer", "result_stream"): 1}
"""Who hands on to whom, and how much may wait between them: the least that there is."""


class OrderHarness(Harness):
    """Each engine counts items of all jobs, one job after the other, and skips jobs of no concern.

    In every cycle one engine that can moves. It can if those before it have handed on what it needs
    and those behind it have room.
    """

    def prove(self, m):
        kinds = Array(self.free_constant(m, 1, f"converts_{job}") for job in range(JOBS + 1))
        at = {name: Signal(range(ENDS + 1), name=f"at_{name}") for name in ENGINES}
        kind_at = Array(kinds[place // ITEMS] for place in range(ENDS + 1))

        def concerns(name, place):
            return Cat(kind_at[place] == kind for kind in ENGINES[name]).any()

        def waiting(source, sink):
            """Count what has been handed on and not taken."""
            return sum(Mux((at[sink] <= place) & (place < at[source])
                           & concerns(source, place) & concerns(sink, place), 1, 0)
                       for place in range(ENDS))

        can = {}
        for name, place in at.items():
            sources = [source for source, sink in ROOM if sink == name]
            if name == "result_stream":  # it has a source for each kind of job
                has = Mux(kind_at[place], at["mx_packer"] > place, at["array"] > place)
            else:
                has = Cat(at[source] > place for source in sources).all()
            fits = Cat(waiting(source, sink) < room for (source, sink), room in ROOM.items()
                       if source == name).all()
            can[name] = Signal(name=f"can_{name}")
            m.d.comb += can[name].eq((place != ENDS) & (~concerns(name, place) | has & fits))
        chosen = self.free(range(len(ENGINES)), "chosen")
        moves = Signal()
        for number, (name, place) in enumerate(at.items()):
            with m.If(can[name] & (chosen == number)):
                m.d.sync += place.eq(place + 1)
                m.d.comb += moves.eq(1)
        ended = Signal()
        m.d.comb += ended.eq(at["result_stream"] == ENDS)
        self.check(m, "goes_on", ended | Cat(can.values()).any())
        self.check(m, "nothing_from_nowhere", Cat(place <= ENDS for place in at.values()).all())
        for (source, sink), room in ROOM.items():
            self.check(m, f"room_{source}_{sink}", waiting(source, sink) <= room)
        self.cover(m, "begun", moves & (at["result_stream"] == 1))
