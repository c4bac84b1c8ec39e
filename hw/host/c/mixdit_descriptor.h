/* Descriptors of commands, generated from golden/memory/descriptor.py by
 * `mixdit dev commands`.
 * Do not edit. */

#ifndef MIXDIT_DESCRIPTOR_H
#define MIXDIT_DESCRIPTOR_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MIXDIT_DESCRIPTOR_BYTES 192u
#define MIXDIT_DESCRIPTOR_WORDS 48u
#define MIXDIT_DESCRIPTOR_ALIGNMENT 64u /* of all that is packed, too */
#define MIXDIT_DESCRIPTOR_VERSION 1u

/* What a command does; 0 is none. */
enum mixdit_operation {
    MIXDIT_OPERATION_JOB = 1,
    MIXDIT_OPERATION_WAIT = 2,
    MIXDIT_OPERATION_VECTOR = 3
};

/* Fields: their word, and the bits of it; of 64 bits two words, the lower first. */
#define MIXDIT_DESCRIPTOR_VERSION_WORD 0u /* Of the descriptor: 1. */
#define MIXDIT_DESCRIPTOR_VERSION_SHIFT 0
#define MIXDIT_DESCRIPTOR_VERSION_MASK 0x000000FFu
#define MIXDIT_DESCRIPTOR_OPERATION_WORD 0u /* 1 JOB, 2 WAIT, 3 VECTOR. */
#define MIXDIT_DESCRIPTOR_OPERATION_SHIFT 8
#define MIXDIT_DESCRIPTOR_OPERATION_MASK 0x0000FF00u
#define MIXDIT_DESCRIPTOR_INTERRUPT_WORD 0u /* Interrupts when the command has ended. */
#define MIXDIT_DESCRIPTOR_INTERRUPT_SHIFT 16
#define MIXDIT_DESCRIPTOR_INTERRUPT_MASK 0x00010000u
#define MIXDIT_DESCRIPTOR_NOTIFY_WORD 0u /* Writes the count of ended commands to NOTIFY_ADDRESS when the command has ended. */
#define MIXDIT_DESCRIPTOR_NOTIFY_SHIFT 17
#define MIXDIT_DESCRIPTOR_NOTIFY_MASK 0x00020000u
#define MIXDIT_DESCRIPTOR_GOES_ON_WORD 0u /* A fault of the command does not stop the ring: the command counts as ended, notifies nobody, and what it would have written may hold anything. */
#define MIXDIT_DESCRIPTOR_GOES_ON_SHIFT 18
#define MIXDIT_DESCRIPTOR_GOES_ON_MASK 0x00040000u
#define MIXDIT_DESCRIPTOR_LOADS_ORDER_WORD 0u /* The order at ORDER goes into the table TABLE first. */
#define MIXDIT_DESCRIPTOR_LOADS_ORDER_SHIFT 19
#define MIXDIT_DESCRIPTOR_LOADS_ORDER_MASK 0x00080000u
#define MIXDIT_DESCRIPTOR_LOADS_TAGS_WORD 0u /* The static tags at TAGS go into the table TABLE first. */
#define MIXDIT_DESCRIPTOR_LOADS_TAGS_SHIFT 20
#define MIXDIT_DESCRIPTOR_LOADS_TAGS_MASK 0x00100000u
#define MIXDIT_DESCRIPTOR_WAIT_A_WORD 1u /* A is read when the command so many before this one has ended; 0: at once. */
#define MIXDIT_DESCRIPTOR_WAIT_A_SHIFT 0
#define MIXDIT_DESCRIPTOR_WAIT_A_MASK 0x000000FFu
#define MIXDIT_DESCRIPTOR_WAIT_B_WORD 1u /* The same for B. */
#define MIXDIT_DESCRIPTOR_WAIT_B_SHIFT 8
#define MIXDIT_DESCRIPTOR_WAIT_B_MASK 0x0000FF00u
#define MIXDIT_DESCRIPTOR_WAIT_SIDE_WORD 1u /* The same for biases, order, tags and column factors. */
#define MIXDIT_DESCRIPTOR_WAIT_SIDE_SHIFT 16
#define MIXDIT_DESCRIPTOR_WAIT_SIDE_MASK 0x00FF0000u
#define MIXDIT_DESCRIPTOR_WAIT_RESIDUAL_WORD 1u /* The same for the residual. */
#define MIXDIT_DESCRIPTOR_WAIT_RESIDUAL_SHIFT 24
#define MIXDIT_DESCRIPTOR_WAIT_RESIDUAL_MASK 0xFF000000u
#define MIXDIT_DESCRIPTOR_KIND_WORD 2u /* As the register JOB_KIND. */
#define MIXDIT_DESCRIPTOR_KIND_SHIFT 0
#define MIXDIT_DESCRIPTOR_KIND_MASK 0x000000FFu
#define MIXDIT_DESCRIPTOR_FORMAT_WORD 2u /* As the register JOB_FORMAT. */
#define MIXDIT_DESCRIPTOR_FORMAT_SHIFT 8
#define MIXDIT_DESCRIPTOR_FORMAT_MASK 0x0000FF00u
#define MIXDIT_DESCRIPTOR_OUTPUT_WORD 2u /* As the register JOB_OUTPUT. */
#define MIXDIT_DESCRIPTOR_OUTPUT_SHIFT 16
#define MIXDIT_DESCRIPTOR_OUTPUT_MASK 0x00FF0000u
#define MIXDIT_DESCRIPTOR_FLAGS_WORD 2u /* As the register JOB_FLAGS. */
#define MIXDIT_DESCRIPTOR_FLAGS_SHIFT 24
#define MIXDIT_DESCRIPTOR_FLAGS_MASK 0xFF000000u
#define MIXDIT_DESCRIPTOR_TABLE_WORD 3u /* As the register JOB_TABLE. */
#define MIXDIT_DESCRIPTOR_TABLE_SHIFT 0
#define MIXDIT_DESCRIPTOR_TABLE_MASK 0x000000FFu
#define MIXDIT_DESCRIPTOR_SELECTION_WORD 3u /* As the register JOB_SELECTION. */
#define MIXDIT_DESCRIPTOR_SELECTION_SHIFT 8
#define MIXDIT_DESCRIPTOR_SELECTION_MASK 0x0000FF00u
#define MIXDIT_DESCRIPTOR_FUNCTION_WORD 3u /* 0 none, 1 exp2, 2 GELU, 3 SiLU. */
#define MIXDIT_DESCRIPTOR_FUNCTION_SHIFT 16
#define MIXDIT_DESCRIPTOR_FUNCTION_MASK 0x00FF0000u
#define MIXDIT_DESCRIPTOR_ROWS_WORD 3u /* What rows are measured for: 0 nothing, 1 LayerNorm, 2 RMSNorm, 3 their maximum, 4 the sum of a packed A. */
#define MIXDIT_DESCRIPTOR_ROWS_SHIFT 24
#define MIXDIT_DESCRIPTOR_ROWS_MASK 0xFF000000u
#define MIXDIT_DESCRIPTOR_M_WORD 4u /* As the register JOB_M. */
#define MIXDIT_DESCRIPTOR_M_SHIFT 0
#define MIXDIT_DESCRIPTOR_M_MASK 0xFFFFFFFFu
#define MIXDIT_DESCRIPTOR_N_WORD 5u /* As the register JOB_N. */
#define MIXDIT_DESCRIPTOR_N_SHIFT 0
#define MIXDIT_DESCRIPTOR_N_MASK 0xFFFFFFFFu
#define MIXDIT_DESCRIPTOR_K_WORD 6u /* As the register JOB_K. */
#define MIXDIT_DESCRIPTOR_K_SHIFT 0
#define MIXDIT_DESCRIPTOR_K_MASK 0x0000FFFFu
#define MIXDIT_DESCRIPTOR_TILES_WORD 6u /* As the register JOB_TILES. */
#define MIXDIT_DESCRIPTOR_TILES_SHIFT 16
#define MIXDIT_DESCRIPTOR_TILES_MASK 0xFFFF0000u
#define MIXDIT_DESCRIPTOR_UNITS_WORD 7u /* As the register JOB_UNITS. */
#define MIXDIT_DESCRIPTOR_UNITS_SHIFT 0
#define MIXDIT_DESCRIPTOR_UNITS_MASK 0x0000FFFFu
#define MIXDIT_DESCRIPTOR_THRESHOLD_WORD 8u /* As the register JOB_THRESHOLD. */
#define MIXDIT_DESCRIPTOR_THRESHOLD_SHIFT 0
#define MIXDIT_DESCRIPTOR_THRESHOLD_MASK 0xFFFFFFFFu
#define MIXDIT_DESCRIPTOR_SEQUENCE_WORD 8u /* The count that the word at A has to reach, modulo 2^32. */
#define MIXDIT_DESCRIPTOR_SEQUENCE_SHIFT 0
#define MIXDIT_DESCRIPTOR_SEQUENCE_MASK 0xFFFFFFFFu
#define MIXDIT_DESCRIPTOR_COUNT_0_WORD 9u /* Iterations of the inner batch level. */
#define MIXDIT_DESCRIPTOR_COUNT_0_SHIFT 0
#define MIXDIT_DESCRIPTOR_COUNT_0_MASK 0x0000FFFFu
#define MIXDIT_DESCRIPTOR_COUNT_1_WORD 9u /* Iterations of the outer batch level. */
#define MIXDIT_DESCRIPTOR_COUNT_1_SHIFT 16
#define MIXDIT_DESCRIPTOR_COUNT_1_MASK 0xFFFF0000u
#define MIXDIT_DESCRIPTOR_A_WORD 10u /* Address of the activations; of WAIT, of its word. */
#define MIXDIT_DESCRIPTOR_B_WORD 12u /* Address of the packed weights. */
#define MIXDIT_DESCRIPTOR_C_WORD 14u /* Address of the results. */
#define MIXDIT_DESCRIPTOR_BIAS_WORD 16u /* Address of the biases. */
#define MIXDIT_DESCRIPTOR_ORDER_WORD 18u /* Address of the order that is loaded. */
#define MIXDIT_DESCRIPTOR_TAGS_WORD 20u /* Address of the static tags that are loaded. */
#define MIXDIT_DESCRIPTOR_A_STRIDE_WORD 22u /* Bytes from a row of A, or a packed token tile, to the next. */
#define MIXDIT_DESCRIPTOR_A_STRIDE_SHIFT 0
#define MIXDIT_DESCRIPTOR_A_STRIDE_MASK 0xFFFFFFFFu
#define MIXDIT_DESCRIPTOR_B_STRIDE_WORD 23u /* Bytes from a column tile of B to the next. */
#define MIXDIT_DESCRIPTOR_B_STRIDE_SHIFT 0
#define MIXDIT_DESCRIPTOR_B_STRIDE_MASK 0xFFFFFFFFu
#define MIXDIT_DESCRIPTOR_C_STRIDE_WORD 24u /* Bytes from a row of C, or a packed tile, to the next. */
#define MIXDIT_DESCRIPTOR_C_STRIDE_SHIFT 0
#define MIXDIT_DESCRIPTOR_C_STRIDE_MASK 0xFFFFFFFFu
#define MIXDIT_DESCRIPTOR_A_STEP_0_WORD 25u /* Bytes from A of an iteration of level 0 to that of the next. */
#define MIXDIT_DESCRIPTOR_A_STEP_0_SHIFT 0
#define MIXDIT_DESCRIPTOR_A_STEP_0_MASK 0xFFFFFFFFu
#define MIXDIT_DESCRIPTOR_A_STEP_1_WORD 26u /* Bytes from A of an iteration of level 1 to that of the next. */
#define MIXDIT_DESCRIPTOR_A_STEP_1_SHIFT 0
#define MIXDIT_DESCRIPTOR_A_STEP_1_MASK 0xFFFFFFFFu
#define MIXDIT_DESCRIPTOR_B_STEP_0_WORD 27u /* Bytes from B of an iteration of level 0 to that of the next. */
#define MIXDIT_DESCRIPTOR_B_STEP_0_SHIFT 0
#define MIXDIT_DESCRIPTOR_B_STEP_0_MASK 0xFFFFFFFFu
#define MIXDIT_DESCRIPTOR_B_STEP_1_WORD 28u /* Bytes from B of an iteration of level 1 to that of the next. */
#define MIXDIT_DESCRIPTOR_B_STEP_1_SHIFT 0
#define MIXDIT_DESCRIPTOR_B_STEP_1_MASK 0xFFFFFFFFu
#define MIXDIT_DESCRIPTOR_C_STEP_0_WORD 29u /* Bytes from C of an iteration of level 0 to that of the next. */
#define MIXDIT_DESCRIPTOR_C_STEP_0_SHIFT 0
#define MIXDIT_DESCRIPTOR_C_STEP_0_MASK 0xFFFFFFFFu
#define MIXDIT_DESCRIPTOR_C_STEP_1_WORD 30u /* Bytes from C of an iteration of level 1 to that of the next. */
#define MIXDIT_DESCRIPTOR_C_STEP_1_SHIFT 0
#define MIXDIT_DESCRIPTOR_C_STEP_1_MASK 0xFFFFFFFFu
#define MIXDIT_DESCRIPTOR_BIAS_STEP_0_WORD 31u /* Bytes from BIAS of an iteration of level 0 to that of the next. */
#define MIXDIT_DESCRIPTOR_BIAS_STEP_0_SHIFT 0
#define MIXDIT_DESCRIPTOR_BIAS_STEP_0_MASK 0xFFFFFFFFu
#define MIXDIT_DESCRIPTOR_BIAS_STEP_1_WORD 32u /* Bytes from BIAS of an iteration of level 1 to that of the next. */
#define MIXDIT_DESCRIPTOR_BIAS_STEP_1_SHIFT 0
#define MIXDIT_DESCRIPTOR_BIAS_STEP_1_MASK 0xFFFFFFFFu
#define MIXDIT_DESCRIPTOR_SCALAR_WORD 33u /* FP32: the factor of SCALED; of LayerNorm and RMSNorm epsilon times the square of N. */
#define MIXDIT_DESCRIPTOR_SCALAR_SHIFT 0
#define MIXDIT_DESCRIPTOR_SCALAR_MASK 0xFFFFFFFFu
#define MIXDIT_DESCRIPTOR_CHANNEL_WORD 34u /* Address of the column factors. */
#define MIXDIT_DESCRIPTOR_RESIDUAL_WORD 36u /* Address of the residual. */
#define MIXDIT_DESCRIPTOR_RESIDUAL_STRIDE_WORD 38u /* Bytes from a row of the residual to the next; 0 for a row that is added to all. */
#define MIXDIT_DESCRIPTOR_RESIDUAL_STRIDE_SHIFT 0
#define MIXDIT_DESCRIPTOR_RESIDUAL_STRIDE_MASK 0xFFFFFFFFu
#define MIXDIT_DESCRIPTOR_CHANNEL_STEP_0_WORD 39u /* Bytes from CHANNEL of an iteration of level 0 to that of the next. */
#define MIXDIT_DESCRIPTOR_CHANNEL_STEP_0_SHIFT 0
#define MIXDIT_DESCRIPTOR_CHANNEL_STEP_0_MASK 0xFFFFFFFFu
#define MIXDIT_DESCRIPTOR_CHANNEL_STEP_1_WORD 40u /* Bytes from CHANNEL of an iteration of level 1 to that of the next. */
#define MIXDIT_DESCRIPTOR_CHANNEL_STEP_1_SHIFT 0
#define MIXDIT_DESCRIPTOR_CHANNEL_STEP_1_MASK 0xFFFFFFFFu
#define MIXDIT_DESCRIPTOR_RESIDUAL_STEP_0_WORD 41u /* Bytes from RESIDUAL of an iteration of level 0 to that of the next. */
#define MIXDIT_DESCRIPTOR_RESIDUAL_STEP_0_SHIFT 0
#define MIXDIT_DESCRIPTOR_RESIDUAL_STEP_0_MASK 0xFFFFFFFFu
#define MIXDIT_DESCRIPTOR_RESIDUAL_STEP_1_WORD 42u /* Bytes from RESIDUAL of an iteration of level 1 to that of the next. */
#define MIXDIT_DESCRIPTOR_RESIDUAL_STEP_1_SHIFT 0
#define MIXDIT_DESCRIPTOR_RESIDUAL_STEP_1_MASK 0xFFFFFFFFu

/* A command: every field but VERSION. What is left out is 0. */
struct mixdit_command {
    uint32_t operation; /* 1 JOB, 2 WAIT, 3 VECTOR. */
    uint32_t interrupt; /* Interrupts when the command has ended. */
    uint32_t notify; /* Writes the count of ended commands to NOTIFY_ADDRESS when the command has ended. */
    uint32_t goes_on; /* A fault of the command does not stop the ring: the command counts as ended, notifies nobody, and what it would have written may hold anything. */
    uint32_t loads_order; /* The order at ORDER goes into the table TABLE first. */
    uint32_t loads_tags; /* The static tags at TAGS go into the table TABLE first. */
    uint32_t wait_a; /* A is read when the command so many before this one has ended; 0: at once. */
    uint32_t wait_b; /* The same for B. */
    uint32_t wait_side; /* The same for biases, order, tags and column factors. */
    uint32_t wait_residual; /* The same for the residual. */
    uint32_t kind; /* As the register JOB_KIND. */
    uint32_t format; /* As the register JOB_FORMAT. */
    uint32_t output; /* As the register JOB_OUTPUT. */
    uint32_t flags; /* As the register JOB_FLAGS. */
    uint32_t table; /* As the register JOB_TABLE. */
    uint32_t selection; /* As the register JOB_SELECTION. */
    uint32_t function; /* 0 none, 1 exp2, 2 GELU, 3 SiLU. */
    uint32_t rows; /* What rows are measured for: 0 nothing, 1 LayerNorm, 2 RMSNorm, 3 their maximum, 4 the sum of a packed A. */
    uint32_t m; /* As the register JOB_M. */
    uint32_t n; /* As the register JOB_N. */
    uint32_t k; /* As the register JOB_K. */
    uint32_t tiles; /* As the register JOB_TILES. */
    uint32_t units; /* As the register JOB_UNITS. */
    uint32_t threshold; /* As the register JOB_THRESHOLD. */
    uint32_t sequence; /* The count that the word at A has to reach, modulo 2^32. */
    uint32_t count_0; /* Iterations of the inner batch level. */
    uint32_t count_1; /* Iterations of the outer batch level. */
    uint64_t a; /* Address of the activations; of WAIT, of its word. */
    uint64_t b; /* Address of the packed weights. */
    uint64_t c; /* Address of the results. */
    uint64_t bias; /* Address of the biases. */
    uint64_t order; /* Address of the order that is loaded. */
    uint64_t tags; /* Address of the static tags that are loaded. */
    uint32_t a_stride; /* Bytes from a row of A, or a packed token tile, to the next. */
    uint32_t b_stride; /* Bytes from a column tile of B to the next. */
    uint32_t c_stride; /* Bytes from a row of C, or a packed tile, to the next. */
    uint32_t a_step_0; /* Bytes from A of an iteration of level 0 to that of the next. */
    uint32_t a_step_1; /* Bytes from A of an iteration of level 1 to that of the next. */
    uint32_t b_step_0; /* Bytes from B of an iteration of level 0 to that of the next. */
    uint32_t b_step_1; /* Bytes from B of an iteration of level 1 to that of the next. */
    uint32_t c_step_0; /* Bytes from C of an iteration of level 0 to that of the next. */
    uint32_t c_step_1; /* Bytes from C of an iteration of level 1 to that of the next. */
    uint32_t bias_step_0; /* Bytes from BIAS of an iteration of level 0 to that of the next. */
    uint32_t bias_step_1; /* Bytes from BIAS of an iteration of level 1 to that of the next. */
    uint32_t scalar; /* FP32: the factor of SCALED; of LayerNorm and RMSNorm epsilon times the square of N. */
    uint64_t channel; /* Address of the column factors. */
    uint64_t residual; /* Address of the residual. */
    uint32_t residual_stride; /* Bytes from a row of the residual to the next; 0 for a row that is added to all. */
    uint32_t channel_step_0; /* Bytes from CHANNEL of an iteration of level 0 to that of the next. */
    uint32_t channel_step_1; /* Bytes from CHANNEL of an iteration of level 1 to that of the next. */
    uint32_t residual_step_0; /* Bytes from RESIDUAL of an iteration of level 0 to that of the next. */
    uint32_t residual_step_1; /* Bytes from RESIDUAL of an iteration of level 1 to that of the next. */
};

/* X(member, word, shift, width, operations that have it: bit o for o) of every field. */
#define MIXDIT_DESCRIPTOR_FIELDS(X) \
    X(operation, 0u, 8u, 8u, 0xEu) \
    X(interrupt, 0u, 16u, 1u, 0xEu) \
    X(notify, 0u, 17u, 1u, 0xEu) \
    X(goes_on, 0u, 18u, 1u, 0xEu) \
    X(loads_order, 0u, 19u, 1u, 0x2u) \
    X(loads_tags, 0u, 20u, 1u, 0xAu) \
    X(wait_a, 1u, 0u, 8u, 0xAu) \
    X(wait_b, 1u, 8u, 8u, 0x2u) \
    X(wait_side, 1u, 16u, 8u, 0xAu) \
    X(wait_residual, 1u, 24u, 8u, 0xAu) \
    X(kind, 2u, 0u, 8u, 0x2u) \
    X(format, 2u, 8u, 8u, 0xAu) \
    X(output, 2u, 16u, 8u, 0xAu) \
    X(flags, 2u, 24u, 8u, 0xAu) \
    X(table, 3u, 0u, 8u, 0xAu) \
    X(selection, 3u, 8u, 8u, 0xAu) \
    X(function, 3u, 16u, 8u, 0xAu) \
    X(rows, 3u, 24u, 8u, 0xAu) \
    X(m, 4u, 0u, 32u, 0xAu) \
    X(n, 5u, 0u, 32u, 0xAu) \
    X(k, 6u, 0u, 16u, 0x2u) \
    X(tiles, 6u, 16u, 16u, 0x2u) \
    X(units, 7u, 0u, 16u, 0xAu) \
    X(threshold, 8u, 0u, 32u, 0xAu) \
    X(sequence, 8u, 0u, 32u, 0x4u) \
    X(count_0, 9u, 0u, 16u, 0xAu) \
    X(count_1, 9u, 16u, 16u, 0xAu) \
    X(a, 10u, 0u, 64u, 0xEu) \
    X(b, 12u, 0u, 64u, 0x2u) \
    X(c, 14u, 0u, 64u, 0xAu) \
    X(bias, 16u, 0u, 64u, 0xAu) \
    X(order, 18u, 0u, 64u, 0x2u) \
    X(tags, 20u, 0u, 64u, 0xAu) \
    X(a_stride, 22u, 0u, 32u, 0xAu) \
    X(b_stride, 23u, 0u, 32u, 0x2u) \
    X(c_stride, 24u, 0u, 32u, 0xAu) \
    X(a_step_0, 25u, 0u, 32u, 0xAu) \
    X(a_step_1, 26u, 0u, 32u, 0xAu) \
    X(b_step_0, 27u, 0u, 32u, 0x2u) \
    X(b_step_1, 28u, 0u, 32u, 0x2u) \
    X(c_step_0, 29u, 0u, 32u, 0xAu) \
    X(c_step_1, 30u, 0u, 32u, 0xAu) \
    X(bias_step_0, 31u, 0u, 32u, 0xAu) \
    X(bias_step_1, 32u, 0u, 32u, 0xAu) \
    X(scalar, 33u, 0u, 32u, 0xAu) \
    X(channel, 34u, 0u, 64u, 0xAu) \
    X(residual, 36u, 0u, 64u, 0xAu) \
    X(residual_stride, 38u, 0u, 32u, 0xAu) \
    X(channel_step_0, 39u, 0u, 32u, 0xAu) \
    X(channel_step_1, 40u, 0u, 32u, 0xAu) \
    X(residual_step_0, 41u, 0u, 32u, 0xAu) \
    X(residual_step_1, 42u, 0u, 32u, 0xAu)

#ifdef __cplusplus
}
#endif

#endif /* MIXDIT_DESCRIPTOR_H */
