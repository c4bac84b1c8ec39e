// Reads four words and writes four, again and again, and breaks a rule of AXI4 when told to:
// register 0 says which.
module machine(
    input aclk, input aresetn,
    input [11:0] s_axil_awaddr, input [2:0] s_axil_awprot, input s_axil_awvalid,
    output s_axil_awready,
    input [31:0] s_axil_wdata, input [3:0] s_axil_wstrb, input s_axil_wvalid,
    output s_axil_wready,
    output [1:0] s_axil_bresp, output s_axil_bvalid, input s_axil_bready,
    input [11:0] s_axil_araddr, input [2:0] s_axil_arprot, input s_axil_arvalid,
    output s_axil_arready,
    output [31:0] s_axil_rdata, output [1:0] s_axil_rresp, output s_axil_rvalid,
    input s_axil_rready,
    output m_axi_arvalid, input m_axi_arready, output [39:0] m_axi_araddr, output [7:0] m_axi_arlen,
    output [2:0] m_axi_arsize, output [1:0] m_axi_arburst, output [1:0] m_axi_arid,
    output [3:0] m_axi_arcache, output [2:0] m_axi_arprot,
    input m_axi_rvalid, output m_axi_rready, input [63:0] m_axi_rdata, input [1:0] m_axi_rresp,
    input m_axi_rlast, input [1:0] m_axi_rid,
    output m_axi_awvalid, input m_axi_awready, output [39:0] m_axi_awaddr, output [7:0] m_axi_awlen,
    output [2:0] m_axi_awsize, output [1:0] m_axi_awburst, output [1:0] m_axi_awid,
    output [3:0] m_axi_awcache, output [2:0] m_axi_awprot,
    output m_axi_wvalid, input m_axi_wready, output [63:0] m_axi_wdata, output [7:0] m_axi_wstrb,
    output m_axi_wlast,
    input m_axi_bvalid, output m_axi_bready, input [1:0] m_axi_bresp, input [1:0] m_axi_bid,
    output irq
);
    localparam AR_FALLS = 1, AR_CHANGES = 2, AW_FALLS = 3, AW_CHANGES = 4, W_FALLS = 5,
               W_CHANGES = 6, STROBES_CHANGE = 7, LAST_CHANGES = 8, CROSSES = 9, LAST_EARLY = 10,
               LAST_MISSING = 11, SIZE = 12, FIXED = 13, WRITE_ID = 14, ELSEWHERE = 15,
               BELOW = 16, GREEDY = 17, IN_RESET = 18, PROT_CHANGES = 19;
    localparam [39:0] BASE = 40'h80000000;

    reg [31:0] fault = 0;  // outlasts a reset
    reg blinks = 0;
    always @(posedge aclk) blinks <= !blinks;

    // Registers
    reg has_address = 0, has_data = 0, b_valid = 0, r_valid = 0;
    reg [31:0] data = 0;
    assign s_axil_awready = !has_address, s_axil_wready = !has_data, s_axil_arready = !r_valid;
    assign s_axil_bvalid = b_valid, s_axil_rvalid = r_valid;
    assign s_axil_bresp = 0, s_axil_rresp = 0, s_axil_rdata = fault;
    always @(posedge aclk) begin
        if (s_axil_awvalid && s_axil_awready) has_address <= 1;
        if (s_axil_wvalid && s_axil_wready) begin has_data <= 1; data <= s_axil_wdata; end
        if (has_address && has_data && !b_valid) b_valid <= 1;
        if (b_valid && s_axil_bready) begin
            b_valid <= 0; has_address <= 0; has_data <= 0; fault <= data;
        end
        if (s_axil_arvalid && s_axil_arready) r_valid <= 1;
        if (r_valid && s_axil_rready) r_valid <= 0;
        if (!aresetn) begin has_address <= 0; has_data <= 0; b_valid <= 0; r_valid <= 0; end
    end

    // Reads: one at a time, unless it is greedy
    reg asks = 0, reads = 0;
    reg [31:0] reading = 0;  // the fault of this read
    wire [39:0] place = reading == CROSSES ? BASE + 40'hff0
                      : reading == ELSEWHERE ? BASE + 40'h1000000
                      : reading == BELOW ? BASE - 40'h20 : BASE;
    assign m_axi_arvalid = (asks && !(reading == AR_FALLS && blinks))
                         || (fault == IN_RESET && !aresetn);
    assign m_axi_araddr = reading == AR_CHANGES && blinks ? BASE + 40'h40 : place;
    assign m_axi_arlen = 3, m_axi_arsize = reading == SIZE ? 2 : 3;
    assign m_axi_arburst = reading == FIXED ? 0 : 1, m_axi_arid = 1, m_axi_arcache = 3;
    assign m_axi_arprot = reading == PROT_CHANGES && blinks ? 2 : 0, m_axi_rready = 1;
    always @(posedge aclk) begin
        if (!asks && (!reads || fault == GREEDY)) begin asks <= 1; reading <= fault; end
        if (m_axi_arvalid && m_axi_arready) begin asks <= 0; reads <= 1; end
        if (m_axi_rvalid && m_axi_rlast) begin reads <= 0; check <= check + m_axi_rdata[7:0]; end
        if (!aresetn) begin asks <= 0; reads <= 0; end
    end
    reg [7:0] check = 0;
    assign irq = fault == 99 && check != 0;

    // Writes
    reg offers = 0, writes = 0;
    reg [2:0] left = 0;
    reg [31:0] writing = 0;
    assign m_axi_awvalid = offers && !(writing == AW_FALLS && blinks);
    assign m_axi_awaddr = writing == AW_CHANGES && blinks ? BASE + 40'h140 : BASE + 40'h100;
    assign m_axi_awlen = 3, m_axi_awsize = 3, m_axi_awburst = 1, m_axi_awcache = 3;
    assign m_axi_awid = writing == WRITE_ID ? 2 : 0, m_axi_awprot = 0;
    assign m_axi_wvalid = left != 0 && !(writing == W_FALLS && blinks);
    assign m_axi_wdata = {61'd7, left} ^ {63'd0, writing == W_CHANGES && blinks};
    assign m_axi_wstrb = {7'h7f, !(writing == STROBES_CHANGE && blinks)};
    assign m_axi_wlast = (left == 1 && writing != LAST_MISSING) ^ (writing == LAST_CHANGES && blinks)
                       ^ (left == 2 && writing == LAST_EARLY);
    assign m_axi_bready = 1;
    always @(posedge aclk) begin
        if (!writes) begin offers <= 1; writes <= 1; left <= 4; writing <= fault; end
        if (m_axi_awvalid && m_axi_awready) offers <= 0;
        if (m_axi_wvalid && m_axi_wready) left <= left - 3'd1;
        if (m_axi_bvalid) writes <= 0;
        if (!aresetn) begin offers <= 0; writes <= 0; left <= 0; end
    end
endmodule
