// An echo of s_axis_act on m_axis_out that breaks a rule when told to: register 0 says which.
// Register 8 answers SLVERR, register 12 never. s_axis_wgt is swallowed.
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
    input [31:0] s_axis_act_tdata, input [3:0] s_axis_act_tkeep, input s_axis_act_tlast,
    input s_axis_act_tvalid, output s_axis_act_tready,
    input [15:0] s_axis_wgt_tdata, input [1:0] s_axis_wgt_tkeep, input s_axis_wgt_tlast,
    input s_axis_wgt_tvalid, output s_axis_wgt_tready,
    output [31:0] m_axis_out_tdata, output [3:0] m_axis_out_tkeep, output m_axis_out_tlast,
    output m_axis_out_tvalid, input m_axis_out_tready,
    output irq
);
    localparam VALID_FALLS = 1, DATA_CHANGES = 2, KEEP_CHANGES = 3, LAST_CHANGES = 4, WASTE = 5,
               SHORT_BEAT = 6, GAP = 7, ANSWER_UNASKED = 8, EXOKAY = 9, ANSWER_FALLS = 10,
               VALID_IN_RESET = 11, DEAF = 12, DATA_UNASKED = 13, FALLING = 14, LATCH = 15,
               SUDDEN_RESET = 16, LAST_ALONE = 17;

    reg [31:0] fault = 0;  // outlasts a reset
    reg [7:0] count = 0;
    always @(posedge aclk) count <= count + 8'd1;
    wire blinks = count[0];

    // Registers
    reg has_address = 0, has_data = 0, b_valid = 0, r_valid = 0;
    reg [11:0] address = 0, read_address = 0;
    reg [31:0] data = 0;
    assign s_axil_awready = !has_address, s_axil_wready = !has_data, s_axil_arready = !r_valid;
    assign s_axil_bvalid = (b_valid && !(fault == ANSWER_FALLS && blinks))
                         || (fault == ANSWER_UNASKED && !has_address);
    assign s_axil_rvalid = (r_valid && read_address != 12) || (fault == DATA_UNASKED && !r_valid);
    assign s_axil_bresp = fault == EXOKAY ? 2'b01 : address == 8 ? 2'b10 : 2'b00;
    assign s_axil_rresp = fault == EXOKAY ? 2'b01 : read_address == 8 ? 2'b10 : 2'b00;
    assign s_axil_rdata = fault;
    always @(posedge aclk) begin
        if (s_axil_awvalid && s_axil_awready) begin has_address <= 1; address <= s_axil_awaddr; end
        if (s_axil_wvalid && s_axil_wready) begin has_data <= 1; data <= s_axil_wdata; end
        if (has_address && has_data && !b_valid && address != 12) b_valid <= 1;
        if (b_valid && s_axil_bvalid && s_axil_bready) begin
            b_valid <= 0; has_address <= 0; has_data <= 0;
            if (address == 0) fault <= data;
        end
        if (s_axil_arvalid && s_axil_arready) begin r_valid <= 1; read_address <= s_axil_araddr; end
        if (r_valid && s_axil_rvalid && s_axil_rready) r_valid <= 0;
        if (!aresetn) begin has_address <= 0; has_data <= 0; b_valid <= 0; r_valid <= 0; end
    end

    // Streams
    reg full = 0, last = 0;
    reg [31:0] word = 0;
    reg [3:0] keep = 0;
    wire [3:0] marked = fault == KEEP_CHANGES ? keep ^ {3'b0, blinks}
                      : fault == SHORT_BEAT ? 4'b0111 : fault == GAP && last ? 4'b1101 : keep;
    wire [31:0] mask = {{8{marked[3]}}, {8{marked[2]}}, {8{marked[1]}}, {8{marked[0]}}};
    assign m_axis_out_tvalid = (full && !(fault == VALID_FALLS && blinks))
                             || (fault == VALID_IN_RESET && !aresetn);
    assign m_axis_out_tdata = ((word ^ (fault == DATA_CHANGES ? {24'b0, count} : 32'b0)) & mask)
                            | (fault == WASTE ? 32'h55555555 & ~mask : 32'b0);
    assign m_axis_out_tkeep = marked;
    assign m_axis_out_tlast = last ^ (fault == LAST_CHANGES && blinks);
    assign s_axis_act_tready = !full && fault != DEAF;
    assign s_axis_wgt_tready = fault != DEAF;
    // What waits for something else than a rising edge; a source of weights that is idle never
    // shows it.
    reg fell = 0, latched = 0, was_reset = 0, saw_last = 0;
    always @(negedge aclk) if (fault == FALLING && s_axis_wgt_tvalid) fell <= 1;
    always_latch if (fault == LATCH && s_axis_wgt_tvalid) latched = 1;
    always @(posedge aclk or negedge aresetn) if (!aresetn) was_reset <= fault == SUDDEN_RESET;
    always @(posedge aclk)  // it looks at a beat that nobody offers
        if (fault == LAST_ALONE && s_axis_wgt_tlast && s_axis_wgt_tkeep == 2'b10
            && s_axis_wgt_tdata[15:14] == 2'b01 && !s_axis_wgt_tvalid) saw_last <= 1;
    assign irq = fault == DEAF || fell || latched || was_reset || saw_last;
    always @(posedge aclk) begin
        if (s_axis_act_tvalid && s_axis_act_tready) begin
            full <= 1; word <= s_axis_act_tdata; keep <= s_axis_act_tkeep; last <= s_axis_act_tlast;
        end
        if (m_axis_out_tvalid && m_axis_out_tready) full <= 0;
        if (!aresetn) full <= 0;
    end
endmodule
