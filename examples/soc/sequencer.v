// Writes registers over AXI4-Lite as a list says, and waits for the interrupt where it says so:
// what a processor would do.
//
// An entry has 48 bits: 47:44 what to do (0 end, 1 write, 2 wait), 43:32 a register's address,
// 31:0 what is written.
`default_nettype none

module sequencer #(
    parameter ENTRIES = 256,
    parameter FILE = ""
) (
    input  wire        clk,
    input  wire        resetn,
    output reg         awvalid,
    input  wire        awready,
    output reg  [11:0] awaddr,
    output reg         wvalid,
    input  wire        wready,
    output reg  [31:0] wdata,
    output wire [3:0]  wstrb,
    input  wire        bvalid,
    output wire        bready,
    input  wire [1:0]  bresp,
    input  wire        irq,
    output reg         done,
    output reg         failed    // a write was answered with an error
);
    localparam [3:0] END = 4'd0, WRITE = 4'd1;

    reg [47:0] entries [0:ENTRIES-1];
    initial if (FILE != "") $readmemh(FILE, entries);

    reg [$clog2(ENTRIES)-1:0] at;
    reg                       waits;    // for the answer to a write
    wire [47:0]               entry = entries[at];

    assign wstrb  = 4'hF;
    assign bready = 1'b1;

    always @(posedge clk) begin
        if (awready) awvalid <= 1'b0;
        if (wready)  wvalid  <= 1'b0;
        if (waits) begin
            if (bvalid) begin
                waits  <= 1'b0;
                failed <= failed | (bresp != 2'b00);
            end
        end else if (!done) begin
            if (entry[47:44] == END) begin
                done <= 1'b1;
            end else if (entry[47:44] == WRITE) begin
                awvalid <= 1'b1;
                wvalid  <= 1'b1;
                awaddr  <= entry[43:32];
                wdata   <= entry[31:0];
                waits   <= 1'b1;
                at      <= at + 1'b1;
            end else if (irq) begin
                at <= at + 1'b1;
            end
        end
        if (!resetn) begin
            at      <= 0;
            awvalid <= 1'b0;
            wvalid  <= 1'b0;
            waits   <= 1'b0;
            done    <= 1'b0;
            failed  <= 1'b0;
        end
    end
endmodule

`default_nettype wire
