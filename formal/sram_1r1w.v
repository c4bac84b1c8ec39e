// The memory for proofs: a read of the word that is being written returns anything.
module proof_sram_1r1w #(
  parameter WIDTH = 8, DEPTH = 16, GRANULES = 1, ADDRESS_WIDTH = 4
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
  (* anyseq *) reg [WIDTH-1:0] anything;
  reg [WIDTH-1:0] contents [0:DEPTH-1];
  integer i;
  always @(posedge clk) begin
    for (i = 0; i < GRANULES; i = i + 1)
      if (write_en[i])
        contents[write_addr][i*PART +: PART] <= write_data[i*PART +: PART];
    if (read_en)
      read_data <= |write_en && write_addr == read_addr ? anything : contents[read_addr];
  end
endmodule
