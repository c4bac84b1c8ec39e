// Stands in for the memory when the machine's paths are timed, with the same parameters and ports:
// what enters is registered, what leaves is a register, and nothing is stored. So every path that
// ends or begins at a memory ends or begins at a register. Its own area means nothing.
module `MEMORY #(
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
  reg [GRANULES-1:0]      write_en_held;
  reg [ADDRESS_WIDTH-1:0] write_addr_held, read_addr_held;
  reg [WIDTH-1:0]         write_data_held;
  reg                     read_en_held, parity;
  always @(posedge clk) begin
    write_en_held   <= write_en;
    write_addr_held <= write_addr;
    write_data_held <= write_data;
    read_en_held    <= read_en;
    read_addr_held  <= read_addr;
    // Every input reaches the output, so that synthesis takes none of them away.
    parity    <= ^{write_en_held, write_addr_held, read_en_held, read_addr_held};
    read_data <= write_data_held ^ {WIDTH{parity}};
  end
endmodule
