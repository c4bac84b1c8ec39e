// The memory module of the machine `mixdit_1x1`, made of macros: an example for docs/memories.md,
// simulated by sim_tests/tools/test_memories.py. Small memories become registers. Larger ones are a
// matrix of one macro, BITS wide and WORDS deep, which has a write enable for each bit.
module mixdit_1x1_sram_1r1w #(
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
  output wire [WIDTH-1:0]         read_data
);
  localparam WORDS = 32, ROW_BITS = 5, BITS = 16;
  localparam COLUMNS = (WIDTH + BITS - 1) / BITS;
  localparam BANKS = (DEPTH + WORDS - 1) / WORDS;
  localparam SPAN = COLUMNS * BITS;
  localparam PART = WIDTH / GRANULES;

  genvar bit_, bank, column;
  generate
    if (DEPTH <= WORDS / 2) begin : in_registers
      reg [WIDTH-1:0] contents [0:DEPTH-1];
      reg [WIDTH-1:0] word;
      integer i;
      always @(posedge clk) begin
        for (i = 0; i < GRANULES; i = i + 1)
          if (write_en[i])
            contents[write_addr][i*PART +: PART] <= write_data[i*PART +: PART];
        if (read_en)
          word <= contents[read_addr];
      end
      assign read_data = word;
    end else begin : in_macros
      wire [SPAN-1:0] data, mask;  // of a whole row of macros; what is beyond WIDTH stays unused
      for (bit_ = 0; bit_ < SPAN; bit_ = bit_ + 1) begin : each_bit
        if (bit_ < WIDTH) begin : used
          assign data[bit_] = write_data[bit_];
          assign mask[bit_] = write_en[bit_ / PART];
        end else begin : unused
          assign data[bit_] = 1'b0;
          assign mask[bit_] = 1'b0;
        end
      end

      // The macros hold what they read; so has the choice among them to be held.
      wire [ADDRESS_WIDTH-1:0] write_bank = write_addr >> ROW_BITS;
      wire [ADDRESS_WIDTH-1:0] read_bank = read_addr >> ROW_BITS;
      reg  [ADDRESS_WIDTH-1:0] bank_read;
      always @(posedge clk)
        if (read_en)
          bank_read <= read_bank;

      wire [SPAN-1:0] found [0:BANKS];  // the word, if it is in one of the banks before
      assign found[0] = {SPAN{1'b0}};
      for (bank = 0; bank < BANKS; bank = bank + 1) begin : each_bank
        wire [SPAN-1:0] word;
        for (column = 0; column < COLUMNS; column = column + 1) begin : each_column
          // Here go the pins for test, repair and retention, and those for power.
          macro_32x16 macro (
            .CLK(clk),
            .WCEN(!(|write_en && write_bank == bank)),
            .WA(write_addr[ROW_BITS-1:0]),
            .WMASK(mask[column*BITS +: BITS]),
            .D(data[column*BITS +: BITS]),
            .RCEN(!(read_en && read_bank == bank)),
            .RA(read_addr[ROW_BITS-1:0]),
            .Q(word[column*BITS +: BITS])
          );
        end
        assign found[bank+1] = found[bank] | (word & {SPAN{bank_read == bank}});
      end
      assign read_data = found[BANKS][WIDTH-1:0];
    end
  endgenerate
endmodule

// Stands for the simulation model of a macro, as it comes from a memory compiler: two ports, enables
// that are active low, an output that holds, and nothing defined for a read of the word written.
module macro_32x16 (
  input  wire        CLK,
  input  wire        WCEN,
  input  wire [4:0]  WA,
  input  wire [15:0] WMASK,
  input  wire [15:0] D,
  input  wire        RCEN,
  input  wire [4:0]  RA,
  output reg  [15:0] Q
);
  reg [15:0] contents [0:31];
  always @(posedge CLK) begin
    if (!WCEN)
      contents[WA] <= (contents[WA] & ~WMASK) | (D & WMASK);
    if (!RCEN)
      Q <= contents[RA] ^ {16{!WCEN && WA == RA}};
  end
endmodule
