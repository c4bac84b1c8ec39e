"""The one memory of the machine: a synchronous SRAM with one read and one write port."""

from amaranth import ClockSignal, Instance, Module
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from .ring import address_bits

MODULE = "sram_1r1w"
"""What its Verilog module is called, behind the name of the machine."""

_VERILOG = """\
// One read port, one write port, one clock. Every memory of the accelerator is an instance of this
// module: replace it by a wrapper around the SRAM macros of your process, see docs/memories.md.
// read_data holds while read_en is low, and much relies on that.
// A read of the address that is being written returns no defined value, and nothing relies on one;
// with SRAM_POISON defined such a read returns the complement of the old word, to prove it.
module {name} #(
  parameter WIDTH = 8,      // bits of a word
  parameter DEPTH = 16,     // words
  parameter GRANULES = 1,   // equal parts of a word with a write enable each
  parameter ADDRESS_WIDTH = 4
) (
  input  wire                     clk,
  input  wire [GRANULES-1:0]      write_en,
  input  wire [ADDRESS_WIDTH-1:0] write_addr,
  input  wire [WIDTH-1:0]         write_data,
  input  wire                     read_en,
  input  wire [ADDRESS_WIDTH-1:0] read_addr,
  output reg  [WIDTH-1:0]         read_data
);
  localparam PART = WIDTH / GRANULES;
  (* no_rw_check *)  // so that Yosys adds nothing to block RAMs for the undefined read
  reg [WIDTH-1:0] contents [0:DEPTH-1];
  integer i;
  always @(posedge clk) begin
    for (i = 0; i < GRANULES; i = i + 1)
      if (write_en[i])
        contents[write_addr][i*PART +: PART] <= write_data[i*PART +: PART];
    if (read_en) begin
`ifdef SRAM_POISON
      read_data <= contents[read_addr]
                   ^ {WIDTH{|write_en && write_addr == read_addr}};
`else
      read_data <= contents[read_addr];
`endif
    end
  end
endmodule
"""


def sram_verilog(name):
    """Return the Verilog of the memory as a module of some name."""
    return _VERILOG.replace("{name}", name)


class Sram(wiring.Component):
    """A memory with one write and one read port.

    The read takes one cycle: ``read_data`` belongs to the ``read_addr`` of the last cycle in which
    ``read_en`` was set, and holds until the next. Reading the word that is being written in the
    same cycle returns no defined value. There is no reset and no initial content.

    Parameters
    ----------
    width : int
        Bits of a word.
    depth : int
        Words.
    granules : int
        Equal parts of a word, each with its own write enable.

    Members
    -------
    write_en : In(granules)
    write_addr, read_addr : In(address_width)
    write_data : In(width)
    read_en : In(1)
    read_data : Out(width)
    """

    def __init__(self, *, width, depth, granules=1):
        if width < 1 or depth < 1 or granules < 1 or width % granules:
            raise ValueError("an SRAM needs at least one word of at least one bit, cut into equal "
                             f"granules, not depth={depth}, width={width}, granules={granules}")
        self.width, self.depth, self.granules = width, depth, granules
        self.address_width = address_bits(depth)
        super().__init__({
            "write_en": In(granules), "write_addr": In(self.address_width),
            "write_data": In(width),
            "read_en": In(1), "read_addr": In(self.address_width), "read_data": Out(width),
        })

    def elaborate(self, platform):
        m = Module()
        if platform is None:  # a Python simulation
            words = memory.Memory(shape=self.width, depth=self.depth, init=[])
            m.submodules.words = words
            write = words.write_port(granularity=self.width // self.granules)
            read = words.read_port()
            m.d.comb += [
                write.en.eq(self.write_en), write.addr.eq(self.write_addr),
                write.data.eq(self.write_data),
                read.en.eq(self.read_en), read.addr.eq(self.read_addr),
                self.read_data.eq(read.data),
            ]
            return m
        m.submodules.words = Instance(
            platform.module_name(MODULE),
            p_WIDTH=self.width, p_DEPTH=self.depth, p_GRANULES=self.granules,
            p_ADDRESS_WIDTH=self.address_width, i_clk=ClockSignal(),
            i_write_en=self.write_en, i_write_addr=self.write_addr, i_write_data=self.write_data,
            i_read_en=self.read_en, i_read_addr=self.read_addr, o_read_data=self.read_data)
        return m
