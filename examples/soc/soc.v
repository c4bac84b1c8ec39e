// A system around the machine: a memory, and a sequencer in the place of a processor.
`default_nettype none

module soc #(
    parameter BUS_BYTES = 32,
    parameter ADDRESS_BITS = 40,
    parameter MEMORY_BYTES = 65536,
    parameter MEMORY_FILE = "memory.hex",
    parameter PROGRAM_FILE = "program.hex"
) (
    input  wire clk,
    input  wire resetn,
    output wire done,
    output wire failed
);
    wire        awvalid, awready, wvalid, wready, bvalid, bready, irq;
    wire [11:0] awaddr;
    wire [31:0] wdata;
    wire [3:0]  wstrb;
    wire [1:0]  bresp;

    wire                      m_arvalid, m_arready, m_rvalid, m_rready, m_rlast;
    wire                      m_awvalid, m_awready, m_wvalid, m_wready, m_wlast;
    wire                      m_bvalid, m_bready;
    wire [ADDRESS_BITS-1:0]   m_araddr, m_awaddr;
    wire [7:0]                m_arlen;
    wire [1:0]                m_arid, m_rid, m_awid, m_bid, m_rresp, m_bresp;
    wire [8*BUS_BYTES-1:0]    m_rdata, m_wdata;
    wire [BUS_BYTES-1:0]      m_wstrb;

    sequencer #(.FILE(PROGRAM_FILE)) sequencer (
        .clk(clk), .resetn(resetn), .awvalid(awvalid), .awready(awready), .awaddr(awaddr),
        .wvalid(wvalid), .wready(wready), .wdata(wdata), .wstrb(wstrb), .bvalid(bvalid),
        .bready(bready), .bresp(bresp), .irq(irq), .done(done), .failed(failed));

    // What has no user here: reads of registers, and the memory's attributes (BUS_ATTRIBUTES).
    /* verilator lint_off PINCONNECTEMPTY */
    mixdit machine (
        .aclk(clk), .aresetn(resetn), .irq(irq),
        .s_axil_awvalid(awvalid), .s_axil_awready(awready), .s_axil_awaddr(awaddr),
        .s_axil_awprot(3'd0), .s_axil_wvalid(wvalid), .s_axil_wready(wready),
        .s_axil_wdata(wdata), .s_axil_wstrb(wstrb), .s_axil_bvalid(bvalid),
        .s_axil_bready(bready), .s_axil_bresp(bresp),
        .s_axil_arvalid(1'b0), .s_axil_arready(), .s_axil_araddr(12'd0), .s_axil_arprot(3'd0),
        .s_axil_rvalid(), .s_axil_rready(1'b1), .s_axil_rdata(), .s_axil_rresp(),
        .m_axi_arvalid(m_arvalid), .m_axi_arready(m_arready), .m_axi_araddr(m_araddr),
        .m_axi_arlen(m_arlen), .m_axi_arsize(), .m_axi_arburst(), .m_axi_arid(m_arid),
        .m_axi_arcache(), .m_axi_arprot(),
        .m_axi_rvalid(m_rvalid), .m_axi_rready(m_rready), .m_axi_rdata(m_rdata),
        .m_axi_rresp(m_rresp), .m_axi_rlast(m_rlast), .m_axi_rid(m_rid),
        .m_axi_awvalid(m_awvalid), .m_axi_awready(m_awready), .m_axi_awaddr(m_awaddr),
        .m_axi_awlen(), .m_axi_awsize(), .m_axi_awburst(), .m_axi_awid(m_awid),
        .m_axi_awcache(), .m_axi_awprot(),
        .m_axi_wvalid(m_wvalid), .m_axi_wready(m_wready), .m_axi_wdata(m_wdata),
        .m_axi_wstrb(m_wstrb), .m_axi_wlast(m_wlast),
        .m_axi_bvalid(m_bvalid), .m_axi_bready(m_bready), .m_axi_bresp(m_bresp),
        .m_axi_bid(m_bid));
    /* verilator lint_on PINCONNECTEMPTY */

    axi_ram #(
        .DATA_BYTES(BUS_BYTES), .ADDRESS_BITS(ADDRESS_BITS), .BYTES(MEMORY_BYTES),
        .FILE(MEMORY_FILE)
    ) ram (
        .clk(clk), .resetn(resetn),
        .arvalid(m_arvalid), .arready(m_arready), .araddr(m_araddr), .arlen(m_arlen),
        .arid(m_arid), .rvalid(m_rvalid), .rready(m_rready), .rdata(m_rdata), .rresp(m_rresp),
        .rlast(m_rlast), .rid(m_rid),
        .awvalid(m_awvalid), .awready(m_awready), .awaddr(m_awaddr), .awid(m_awid),
        .wvalid(m_wvalid), .wready(m_wready), .wdata(m_wdata), .wstrb(m_wstrb),
        .wlast(m_wlast), .bvalid(m_bvalid), .bready(m_bready), .bresp(m_bresp), .bid(m_bid));
endmodule

`default_nettype wire
