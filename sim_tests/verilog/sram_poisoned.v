// The memory of hw/parts/sram.py for simulations: what was not written since the machine's last reset is
// garbage, and so is a word that is read while it is written. In Icarus garbage is X; elsewhere it
// is another pattern at every read, so that whatever depends on it differs from run to run.
// SRAM_RESET is an expression that holds while the machine is in reset: the memory has no reset.
module sram_1r1w #(
  parameter WIDTH = 8,
  parameter DEPTH = 16,
  parameter GRANULES = 1,
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
  localparam PATTERNS = (WIDTH + 31) / 32;
  reg [WIDTH-1:0] contents [0:DEPTH-1];
  reg [32*GRANULES-1:0] written_in [0:DEPTH-1];  // per granule: the epoch of its last write
  reg [31:0] epoch;  // one more in every cycle of a reset
  reg [31:0] pattern;
  wire [32*PATTERNS-1:0] garbage;
  wire is_being_written = |write_en && write_addr == read_addr;
  integer i;
`ifdef __ICARUS__
  assign garbage = {32*PATTERNS{1'bx}};
`else
  assign garbage = {PATTERNS{pattern ^ pattern >> 15}};
`endif
  initial begin
    epoch = 1;
    pattern = 1;
  end
  always @(posedge clk) begin
    if (`SRAM_RESET)
      epoch <= epoch + 1;
    for (i = 0; i < GRANULES; i = i + 1) begin
      if (write_en[i]) begin
        contents[write_addr][i*PART +: PART] <= write_data[i*PART +: PART];
        written_in[write_addr][i*32 +: 32] <= epoch;
      end
      if (read_en) begin
        if (written_in[read_addr][i*32 +: 32] === epoch && !is_being_written)
          read_data[i*PART +: PART] <= contents[read_addr][i*PART +: PART];
        else
          read_data[i*PART +: PART] <= garbage[i*PART +: PART];
      end
    end
    if (read_en)
      pattern <= pattern * 32'd1664525 + 32'd1013904223;
  end
endmodule
