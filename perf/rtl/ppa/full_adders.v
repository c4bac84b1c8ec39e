// Techmap rules: adders become ripples of one-bit full adders, each a cell of its own, which the
// library's full adder replaces in the end. What area-driven datapath compilers do.

(* techmap_celltype = "$alu" *)
module ripple_carry_adder #(
  parameter A_SIGNED = 0, B_SIGNED = 0,
  parameter A_WIDTH = 1, B_WIDTH = 1, Y_WIDTH = 1
) (
  (* force_downto *) input  [A_WIDTH-1:0] A,
  (* force_downto *) input  [B_WIDTH-1:0] B,
  input                                   CI, BI,
  (* force_downto *) output [Y_WIDTH-1:0] X, Y, CO
);
  wire [Y_WIDTH:0] carry;
  assign carry[0] = CI;
  assign CO = carry[Y_WIDTH:1];
  genvar i;
  generate
    for (i = 0; i < Y_WIDTH; i = i + 1) begin : place
      wire a, b;
      if (i < A_WIDTH) assign a = A[i];
      else assign a = A_SIGNED ? A[A_WIDTH-1] : 1'b0;
      if (i < B_WIDTH) assign b = B[i] ^ BI;
      else assign b = (B_SIGNED ? B[B_WIDTH-1] : 1'b0) ^ BI;
      assign X[i] = a ^ b;
      full_adder adder (.a(a), .b(b), .c(carry[i]), .sum(Y[i]), .carry(carry[i+1]));
    end
  endgenerate
endmodule

(* techmap_celltype = "$fa" *)
module carry_save_adder #(parameter WIDTH = 1) (
  (* force_downto *) input  [WIDTH-1:0] A, B, C,
  (* force_downto *) output [WIDTH-1:0] X, Y
);
  genvar i;
  generate
    for (i = 0; i < WIDTH; i = i + 1) begin : place
      full_adder adder (.a(A[i]), .b(B[i]), .c(C[i]), .sum(Y[i]), .carry(X[i]));
    end
  endgenerate
endmodule
