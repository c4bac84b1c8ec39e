// A memory on AXI4: one read and one write under way, bursts of incrementing addresses.
//
// It is as small as such a memory can be, and not fast: a machine that should be busy wants one
// that takes the next address while it answers.
`default_nettype none

module axi_ram #(
    parameter DATA_BYTES = 32,
    parameter ADDRESS_BITS = 40,
    parameter ID_BITS = 2,
    parameter BYTES = 65536,     // a power of two; addresses wrap
    parameter FILE = ""          // words of DATA_BYTES in hexadecimal; without: unknown
) (
    input  wire                      clk,
    input  wire                      resetn,

    input  wire                      arvalid,
    output wire                      arready,
    input  wire [ADDRESS_BITS-1:0]   araddr,
    input  wire [7:0]                arlen,
    input  wire [ID_BITS-1:0]        arid,
    output reg                       rvalid,
    input  wire                      rready,
    output reg  [8*DATA_BYTES-1:0]   rdata,
    output wire [1:0]                rresp,
    output reg                       rlast,
    output reg  [ID_BITS-1:0]        rid,

    input  wire                      awvalid,
    output wire                      awready,
    input  wire [ADDRESS_BITS-1:0]   awaddr,
    input  wire [ID_BITS-1:0]        awid,
    input  wire                      wvalid,
    output wire                      wready,
    input  wire [8*DATA_BYTES-1:0]   wdata,
    input  wire [DATA_BYTES-1:0]     wstrb,
    input  wire                      wlast,
    output reg                       bvalid,
    input  wire                      bready,
    output wire [1:0]                bresp,
    output reg  [ID_BITS-1:0]        bid
);
    localparam SHIFT = $clog2(DATA_BYTES);
    localparam WORDS = BYTES / DATA_BYTES;
    localparam INDEX_BITS = $clog2(WORDS);

    reg [8*DATA_BYTES-1:0] words [0:WORDS-1];
    initial if (FILE != "") $readmemh(FILE, words);

    assign rresp = 2'b00;
    assign bresp = 2'b00;

    // Reads: a word at a time, the next one when the last one has been taken.
    reg                  reading;
    reg [INDEX_BITS-1:0] read_at;
    reg [7:0]            left;
    assign arready = !reading && !rvalid;

    always @(posedge clk) begin
        if (rready) rvalid <= 1'b0;
        if (arvalid && arready) begin
            reading <= 1'b1;
            read_at <= araddr[SHIFT +: INDEX_BITS];
            left    <= arlen;
            rid     <= arid;
        end else if (reading && (!rvalid || rready)) begin
            rvalid  <= 1'b1;
            rdata   <= words[read_at];
            rlast   <= left == 8'd0;
            read_at <= read_at + 1'b1;
            left    <= left - 8'd1;
            reading <= left != 8'd0;
        end
        if (!resetn) begin
            reading <= 1'b0;
            rvalid  <= 1'b0;
        end
    end

    // Writes: the address first, then the words, then the answer.
    reg                  writing;
    reg [INDEX_BITS-1:0] write_at;
    integer              lane;
    assign awready = !writing && !bvalid;
    assign wready  = writing;

    always @(posedge clk) begin
        if (bready) bvalid <= 1'b0;
        if (awvalid && awready) begin
            writing  <= 1'b1;
            write_at <= awaddr[SHIFT +: INDEX_BITS];
            bid      <= awid;
        end else if (writing && wvalid) begin
            for (lane = 0; lane < DATA_BYTES; lane = lane + 1)
                if (wstrb[lane]) words[write_at][8*lane +: 8] <= wdata[8*lane +: 8];
            write_at <= write_at + 1'b1;
            writing  <= !wlast;
            bvalid   <= wlast;
        end
        if (!resetn) begin
            writing <= 1'b0;
            bvalid  <= 1'b0;
        end
    end
endmodule

`default_nettype wire
