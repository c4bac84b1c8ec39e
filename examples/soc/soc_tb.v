// Runs the system until its sequencer has ended, and writes what memory holds then.
`default_nettype none

module soc_tb;
    parameter BUS_BYTES = 32;
    parameter ADDRESS_BITS = 40;
    parameter MEMORY_BYTES = 65536;
    parameter LIMIT = 1000000;    // cycles

    reg     clk, resetn;
    wire    done, failed;
    integer cycle;

    initial begin
        clk    = 1'b0;
        resetn = 1'b0;
        cycle  = 0;
    end

    always #5 clk = !clk;

    soc #(.BUS_BYTES(BUS_BYTES), .ADDRESS_BITS(ADDRESS_BITS), .MEMORY_BYTES(MEMORY_BYTES)) soc (
        .clk(clk), .resetn(resetn), .done(done), .failed(failed));

    always @(posedge clk) begin
        cycle  <= cycle + 1;
        resetn <= cycle >= 4;
        if (done || cycle == LIMIT) begin
            if (failed) $display("FAILED: a register's write was answered with an error");
            else if (!done) $display("FAILED: no interrupt within %0d cycles", LIMIT);
            else $display("DONE after %0d cycles", cycle);
            $writememh("memory_after.hex", soc.ram.words);
            $finish;
        end
    end
endmodule

`default_nettype wire
