/* The register map, generated from hw/registers/map.py by
 * `mixdit dev registers`.
 * Do not edit. */

#ifndef MIXDIT_REGISTERS_H
#define MIXDIT_REGISTERS_H

#ifdef __cplusplus
extern "C" {
#endif

#define MIXDIT_IDENTIFICATION 0x4D584454u
#define MIXDIT_VERSION 0x00030001u

/* Build parameters. What the machine was built for. */
#define MIXDIT_REG_ID 0x000u /* The letters MXDT, M in the highest byte: 0x4D584454. */
#define MIXDIT_REG_VERSION 0x004u /* Version of this register map. */
#define MIXDIT_REG_ROWS 0x008u /* Rows R of the array. */
#define MIXDIT_REG_COLS 0x00Cu /* Columns C of the array. */
#define MIXDIT_REG_ACC_WIDTH 0x010u /* Bits of the anchored accumulator. */
#define MIXDIT_REG_K_MAX 0x014u /* Largest K of a job. */
#define MIXDIT_REG_ACT_BYTES 0x018u /* Bytes per beat of s_axis_act. */
#define MIXDIT_REG_WEIGHT_BYTES 0x01Cu /* Bytes per beat of s_axis_wgt. */
#define MIXDIT_REG_RESULT_BYTES 0x020u /* Bytes per beat of m_axis_out. */
#define MIXDIT_REG_ACT_DEPTH 0x024u /* Blocks of A per array row that fit on chip. */
#define MIXDIT_REG_WEIGHT_DEPTH 0x028u /* Blocks of B per array column that fit on chip. */
#define MIXDIT_REG_TILE_SLOTS 0x02Cu /* Most token tiles on chip at a time. */
#define MIXDIT_REG_FORMATS 0x030u /* Bit f is set when JOB_FORMAT may be f. */
#define MIXDIT_REG_JOB_SLOTS 0x034u /* Most jobs under way at a time. */
#define MIXDIT_REG_STAGE_DEPTH 0x038u /* Blocks that wait on chip for their precision. */
#define MIXDIT_REG_DRAIN_LANES 0x03Cu /* Results that leave the array per cycle: cols times 1, 2, 4, ... up to all rows. */
#define MIXDIT_REG_TABLES 0x040u /* Calibration tables: channel order and static tags. */
#define MIXDIT_REG_FRACTION_BITS 0x044u /* Bits of the accumulator below a block product's unit. */
#define MIXDIT_REG_ROUNDING 0x048u /* How activations are rounded to MX. */
#define MIXDIT_REG_OUTPUTS 0x04Cu /* How results may leave. */
#define MIXDIT_REG_CELL_STAGES 0x050u /* Pipeline registers of a cell before its accumulator. */
#define MIXDIT_REG_WEIGHT_SLOTS 0x054u /* Most column tiles on chip at a time. */
#define MIXDIT_REG_RESULT_DEPTH 0x058u /* Groups of results, DRAIN_LANES each, that wait for m_axis_out. */
#define MIXDIT_REG_BUS_BYTES 0x05Cu /* Bytes of a word of m_axi, which a command ring works on: 8, 16, 32 or 64; 0: streams, and no bus. */
#define MIXDIT_REG_ADDRESS_BITS 0x060u /* Bits of an address of m_axi. */
#define MIXDIT_REG_BURST_BEATS 0x064u /* Most words of a burst. */
#define MIXDIT_REG_READ_DEPTH 0x068u /* Words of activations that are read ahead, and half of those of weights: latency of the bus, and a burst. */
#define MIXDIT_REG_OUTSTANDING 0x06Cu /* Most reads, and most writes, that the bus owes an answer. */
#define MIXDIT_REG_BUS_CLOCK 0x070u /* 1: m_axi has a clock of its own, m_axi_aclk; 0: it has the machine's. */
#define MIXDIT_REG_BLOCKS_PER_CYCLE 0x074u /* Most blocks of activations in a beat: memory is read and written so, but the engines convert one. */

/* Job. The next job; may be rewritten as soon as START has been answered. */
#define MIXDIT_REG_JOB_KIND 0x080u /* What the job does. */
#define MIXDIT_REG_JOB_M 0x084u /* Rows of A and of C. */
#define MIXDIT_REG_JOB_N 0x088u /* Columns of B and of C; for a conversion, of what it makes. */
#define MIXDIT_REG_JOB_K 0x08Cu /* Columns of A, rows of B. */
#define MIXDIT_REG_JOB_TILES 0x090u /* Token tiles of A that stay on chip while B streams by once. */
#define MIXDIT_REG_JOB_FORMAT 0x094u /* Format of the activations' elements. */
#define MIXDIT_REG_JOB_OUTPUT 0x098u /* Format of a GEMM's results. */
#define MIXDIT_REG_JOB_FLAGS 0x09Cu /* What else the job does. */
#define MIXDIT_REG_JOB_TABLE 0x0A0u /* Calibration table that the job uses. */
#define MIXDIT_REG_JOB_SELECTION 0x0A4u /* How outlier K-blocks are chosen. */
#define MIXDIT_REG_JOB_UNITS 0x0A8u /* Top: outlier K-blocks per tile. Head: 1 if every K-block is one, else 0. */
#define MIXDIT_REG_JOB_THRESHOLD 0x0ACu /* Threshold: FP32 pattern that an outlier's magnitude exceeds. */

/* Control. Starting and stopping, and what became of it. */
#define MIXDIT_REG_CONTROL 0x0C0u /* Commands. In one write with ABORT a RESUME does nothing. A START is refused beside an ABORT, and beside the RESUME that ends a drain. */
#define MIXDIT_REG_STATUS 0x0C4u /* What the machine is doing. */
#define MIXDIT_REG_JOBS_ENDED 0x0C8u /* Jobs that ran to their end since reset. */
#define MIXDIT_REG_REFUSAL 0x0CCu /* Why the job started last was refused. */
#define MIXDIT_REG_JOB_FAULTS 0x0D0u /* What was wrong with the packets of the job that ended last. */
#define MIXDIT_REG_IRQ_ENABLE 0x0D4u /* Which bits of IRQ_PENDING raise irq. */
#define MIXDIT_REG_IRQ_PENDING 0x0D8u /* What happened; faults show at once, before their job ends. */

/* Calibration. Channel orders and static tags, and what they are made from. */
#define MIXDIT_REG_TABLE_SELECT 0x0E0u /* Calibration table that entries are written to. */
#define MIXDIT_REG_ORDER_ENTRY 0x0E4u /* The channel at the next place of the order, from place 0; taken while no job under way uses the table. */
#define MIXDIT_REG_TAG_ENTRY 0x0E8u /* The static tag of the next K-block, from 0; taken while no job under way uses the table. */
#define MIXDIT_REG_TABLE_CLEAR 0x0ECu /* Begins a table anew; taken while no job under way uses it. */
#define MIXDIT_REG_MAXIMUM_CHANNEL 0x0F0u /* Channel that MAXIMUM shows. */
#define MIXDIT_REG_MAXIMUM 0x0F4u /* That channel's largest magnitude in the last job that measured: an FP32 pattern. */

/* Counters. Of the job that ended last; 48 bits each, the lower word first. */
#define MIXDIT_REG_CYCLES_LOW 0x100u /* Cycles from the later of its start and the end of the job before it, to its end. */
#define MIXDIT_REG_CYCLES_HIGH 0x104u /* Its upper word, of 16 bits. */
#define MIXDIT_REG_BEATS_LOW 0x108u /* Beats that entered the array. */
#define MIXDIT_REG_BEATS_HIGH 0x10Cu /* Its upper word, of 16 bits. */
#define MIXDIT_REG_SKIPPED_LOW 0x110u /* Residual beats left out, since the residuals of one operand were all zero. */
#define MIXDIT_REG_SKIPPED_HIGH 0x114u /* Its upper word, of 16 bits. */
#define MIXDIT_REG_ACT_STALLS_LOW 0x118u /* Cycles without a beat, waiting for activations. */
#define MIXDIT_REG_ACT_STALLS_HIGH 0x11Cu /* Its upper word, of 16 bits. */
#define MIXDIT_REG_WEIGHT_STALLS_LOW 0x120u /* Cycles without a beat, waiting for weights. */
#define MIXDIT_REG_WEIGHT_STALLS_HIGH 0x124u /* Its upper word, of 16 bits. */
#define MIXDIT_REG_RESULT_STALLS_LOW 0x128u /* Cycles without a beat, waiting for room for results. */
#define MIXDIT_REG_RESULT_STALLS_HIGH 0x12Cu /* Its upper word, of 16 bits. */
#define MIXDIT_REG_MX9_UNITS_LOW 0x130u /* K-blocks of tiles of activations, or of a conversion's tiles, that were MX9. */
#define MIXDIT_REG_MX9_UNITS_HIGH 0x134u /* Its upper word, of 16 bits. */
#define MIXDIT_REG_NAN_BLOCKS_LOW 0x138u /* Blocks of activations with an infinity or a NaN. */
#define MIXDIT_REG_NAN_BLOCKS_HIGH 0x13Cu /* Its upper word, of 16 bits. */
#define MIXDIT_REG_SATURATED_LOW 0x140u /* Elements of activations rounded past the largest mantissa; none where packed. */
#define MIXDIT_REG_SATURATED_HIGH 0x144u /* Its upper word, of 16 bits. */

/* Ring. Of machines with a bus alone, whose BUS_BYTES is not 0: the command ring, see [commands.md](commands.md). */
#define MIXDIT_REG_RING_ENABLE 0x200u /* Whether the ring runs. */
#define MIXDIT_REG_RING_TAIL 0x204u /* The doorbell: the count of all commands so far. */
#define MIXDIT_REG_RING_BASE_LOW 0x208u /* Address of the ring, a multiple of 64; changed while it is IDLE. */
#define MIXDIT_REG_RING_BASE_HIGH 0x20Cu /* Its upper word. */
#define MIXDIT_REG_RING_SIZE_LOG2 0x210u /* The ring has two to this of descriptors; changed while it is IDLE. */
#define MIXDIT_REG_NOTIFY_ADDRESS_LOW 0x214u /* Where commands with NOTIFY write the count of ended commands: a multiple of 4. */
#define MIXDIT_REG_NOTIFY_ADDRESS_HIGH 0x218u /* Its upper word. */
#define MIXDIT_REG_BUS_TIMEOUT 0x21Cu /* Cycles without anything happening on the bus that owes something, after which the ring stops with TIMEOUT; 0: never. */
#define MIXDIT_REG_BUS_ATTRIBUTES 0x220u /* What the bus is told of every access; changed while the ring is IDLE. */
#define MIXDIT_REG_RING_IRQ_ENABLE 0x224u /* Which bits of RING_IRQ_PENDING raise irq. */
#define MIXDIT_REG_WINDOW_BASE_LOW 0x230u /* First address that the machine may touch, rounded up to a multiple of 4096. */
#define MIXDIT_REG_WINDOW_BASE_HIGH 0x234u /* Its upper word. */
#define MIXDIT_REG_WINDOW_END_LOW 0x238u /* First address above the window, rounded down to a multiple of 4096. */
#define MIXDIT_REG_WINDOW_END_HIGH 0x23Cu /* Its upper word. */
#define MIXDIT_REG_RING_CONTROL 0x240u /* Commands. */
#define MIXDIT_REG_RING_IRQ_PENDING 0x244u /* What happened. */
#define MIXDIT_REG_RING_STATUS 0x248u /* What the ring is doing. */
#define MIXDIT_REG_RING_COMPLETED 0x24Cu /* Commands that have ended, modulo 2^32. */
#define MIXDIT_REG_READ_BURSTS 0x260u /* Reads that the bus has taken. */
#define MIXDIT_REG_READ_BEATS 0x264u /* Words that it has brought. */
#define MIXDIT_REG_READ_STALLS 0x268u /* Cycles in which a read was offered and not taken. */
#define MIXDIT_REG_READ_OWED 0x26Cu /* Reads that the bus owed, summed over cycles: by READ_BURSTS, their latency. */
#define MIXDIT_REG_WRITE_BURSTS 0x270u /* Writes that the bus has taken. */
#define MIXDIT_REG_WRITE_BEATS 0x274u /* Words that it has taken. */
#define MIXDIT_REG_WRITE_STALLS 0x278u /* Cycles in which a write or a word was offered and not taken. */
#define MIXDIT_REG_WRITE_OWED 0x27Cu /* Writes without an answer, summed over cycles: by WRITE_BURSTS, their latency. */

/* Fields, in place. */
#define MIXDIT_VERSION_MINOR_SHIFT 0 /* Counts what software may ignore. */
#define MIXDIT_VERSION_MINOR_MASK 0x0000FFFFu
#define MIXDIT_VERSION_MAJOR_SHIFT 16 /* Counts what it may not. */
#define MIXDIT_VERSION_MAJOR_MASK 0xFFFF0000u
#define MIXDIT_OUTPUTS_FORMATS_SHIFT 0 /* Bit o is set when JOB_OUTPUT may be o. */
#define MIXDIT_OUTPUTS_FORMATS_MASK 0x0000FFFFu
#define MIXDIT_OUTPUTS_VECTOR_LANES_SHIFT 16 /* Numbers that the vector unit takes per cycle: 1, 2, 4 or 8; 0: there is none. */
#define MIXDIT_OUTPUTS_VECTOR_LANES_MASK 0xFFFF0000u
#define MIXDIT_JOB_FLAGS_BIAS_SHIFT 0 /* FP32 biases head each column tile's weights and are added to C. */
#define MIXDIT_JOB_FLAGS_BIAS_MASK 0x00000001u
#define MIXDIT_JOB_FLAGS_REORDER_SHIFT 1 /* Channels of A are put into the order of table JOB_TABLE. */
#define MIXDIT_JOB_FLAGS_REORDER_MASK 0x00000002u
#define MIXDIT_JOB_FLAGS_MEASURE_SHIFT 2 /* Each channel's largest magnitude is recorded, see MAXIMUM. */
#define MIXDIT_JOB_FLAGS_MEASURE_MASK 0x00000004u
#define MIXDIT_JOB_FLAGS_UNKNOWN_SHIFT 3 /* Refused unless zero. */
#define MIXDIT_JOB_FLAGS_UNKNOWN_MASK 0xFFFFFFF8u
#define MIXDIT_CONTROL_START_SHIFT 0 /* Start the job that the JOB registers hold, or refuse it. */
#define MIXDIT_CONTROL_START_MASK 0x00000001u
#define MIXDIT_CONTROL_ABORT_SHIFT 1 /* Drop every job under way; input is swallowed until RESUME. */
#define MIXDIT_CONTROL_ABORT_MASK 0x00000002u
#define MIXDIT_CONTROL_RESUME_SHIFT 2 /* Let packets and jobs in again. */
#define MIXDIT_CONTROL_RESUME_MASK 0x00000004u
#define MIXDIT_STATUS_UNDER_WAY_SHIFT 0 /* Jobs under way. */
#define MIXDIT_STATUS_UNDER_WAY_MASK 0x000000FFu
#define MIXDIT_STATUS_FREE_SHIFT 8 /* Jobs that may be started now. */
#define MIXDIT_STATUS_FREE_MASK 0x0000FF00u
#define MIXDIT_STATUS_DRAINING_SHIFT 16 /* From ABORT to RESUME: input is swallowed, starts are refused. */
#define MIXDIT_STATUS_DRAINING_MASK 0x00010000u
#define MIXDIT_STATUS_OUTPUT_PENDING_SHIFT 17 /* A result waits to be taken, or its packet has not ended. */
#define MIXDIT_STATUS_OUTPUT_PENDING_MASK 0x00020000u
#define MIXDIT_JOB_FAULTS_ACT_LENGTH_SHIFT 0 /* An activation packet ended early or late. */
#define MIXDIT_JOB_FAULTS_ACT_LENGTH_MASK 0x00000001u
#define MIXDIT_JOB_FAULTS_ACT_KEEP_SHIFT 1 /* An activation packet has the wrong tkeep. */
#define MIXDIT_JOB_FAULTS_ACT_KEEP_MASK 0x00000002u
#define MIXDIT_JOB_FAULTS_WEIGHT_LENGTH_SHIFT 2 /* A weight packet ended early or late. */
#define MIXDIT_JOB_FAULTS_WEIGHT_LENGTH_MASK 0x00000004u
#define MIXDIT_JOB_FAULTS_WEIGHT_KEEP_SHIFT 3 /* A weight packet has a tkeep that is not all ones. */
#define MIXDIT_JOB_FAULTS_WEIGHT_KEEP_MASK 0x00000008u
#define MIXDIT_IRQ_ENABLE_ENDED_SHIFT 0 /* A job ended. */
#define MIXDIT_IRQ_ENABLE_ENDED_MASK 0x00000001u
#define MIXDIT_IRQ_ENABLE_REFUSED_SHIFT 1 /* A job was refused. */
#define MIXDIT_IRQ_ENABLE_REFUSED_MASK 0x00000002u
#define MIXDIT_IRQ_ENABLE_ACT_LENGTH_SHIFT 2 /* An activation packet ended early or late. */
#define MIXDIT_IRQ_ENABLE_ACT_LENGTH_MASK 0x00000004u
#define MIXDIT_IRQ_ENABLE_ACT_KEEP_SHIFT 3 /* An activation packet has the wrong tkeep. */
#define MIXDIT_IRQ_ENABLE_ACT_KEEP_MASK 0x00000008u
#define MIXDIT_IRQ_ENABLE_WEIGHT_LENGTH_SHIFT 4 /* A weight packet ended early or late. */
#define MIXDIT_IRQ_ENABLE_WEIGHT_LENGTH_MASK 0x00000010u
#define MIXDIT_IRQ_ENABLE_WEIGHT_KEEP_SHIFT 5 /* A weight packet has a tkeep that is not all ones. */
#define MIXDIT_IRQ_ENABLE_WEIGHT_KEEP_MASK 0x00000020u
#define MIXDIT_IRQ_PENDING_ENDED_SHIFT 0 /* A job ended. */
#define MIXDIT_IRQ_PENDING_ENDED_MASK 0x00000001u
#define MIXDIT_IRQ_PENDING_REFUSED_SHIFT 1 /* A job was refused. */
#define MIXDIT_IRQ_PENDING_REFUSED_MASK 0x00000002u
#define MIXDIT_IRQ_PENDING_ACT_LENGTH_SHIFT 2 /* An activation packet ended early or late. */
#define MIXDIT_IRQ_PENDING_ACT_LENGTH_MASK 0x00000004u
#define MIXDIT_IRQ_PENDING_ACT_KEEP_SHIFT 3 /* An activation packet has the wrong tkeep. */
#define MIXDIT_IRQ_PENDING_ACT_KEEP_MASK 0x00000008u
#define MIXDIT_IRQ_PENDING_WEIGHT_LENGTH_SHIFT 4 /* A weight packet ended early or late. */
#define MIXDIT_IRQ_PENDING_WEIGHT_LENGTH_MASK 0x00000010u
#define MIXDIT_IRQ_PENDING_WEIGHT_KEEP_SHIFT 5 /* A weight packet has a tkeep that is not all ones. */
#define MIXDIT_IRQ_PENDING_WEIGHT_KEEP_MASK 0x00000020u
#define MIXDIT_ORDER_ENTRY_PLACE_SHIFT 0 /* Place that the channel goes to: the next one. */
#define MIXDIT_ORDER_ENTRY_PLACE_MASK 0x0000FFFFu
#define MIXDIT_ORDER_ENTRY_CHANNEL_SHIFT 16 /* Channel, as it arrives. */
#define MIXDIT_ORDER_ENTRY_CHANNEL_MASK 0xFFFF0000u
#define MIXDIT_TAG_ENTRY_MX9_SHIFT 0 /* The K-block is MX9. */
#define MIXDIT_TAG_ENTRY_MX9_MASK 0x00000001u
#define MIXDIT_TAG_ENTRY_K_BLOCK_SHIFT 16 /* K-block, in the new order: the next one. */
#define MIXDIT_TAG_ENTRY_K_BLOCK_MASK 0xFFFF0000u
#define MIXDIT_TABLE_CLEAR_ORDER_SHIFT 0 /* Forget the table's order. */
#define MIXDIT_TABLE_CLEAR_ORDER_MASK 0x00000001u
#define MIXDIT_TABLE_CLEAR_TAGS_SHIFT 1 /* Forget the table's static tags. */
#define MIXDIT_TABLE_CLEAR_TAGS_MASK 0x00000002u
#define MIXDIT_RING_ENABLE_ENABLE_SHIFT 0 /* Carry commands out. Cleared: what is under way is dropped, and IDLE says when the bus is quiet. */
#define MIXDIT_RING_ENABLE_ENABLE_MASK 0x00000001u
#define MIXDIT_BUS_ATTRIBUTES_ARCACHE_SHIFT 0 /* Of every read. */
#define MIXDIT_BUS_ATTRIBUTES_ARCACHE_MASK 0x0000000Fu
#define MIXDIT_BUS_ATTRIBUTES_ARPROT_SHIFT 4 /* Of every read. */
#define MIXDIT_BUS_ATTRIBUTES_ARPROT_MASK 0x00000070u
#define MIXDIT_BUS_ATTRIBUTES_AWCACHE_SHIFT 8 /* Of every write. */
#define MIXDIT_BUS_ATTRIBUTES_AWCACHE_MASK 0x00000F00u
#define MIXDIT_BUS_ATTRIBUTES_AWPROT_SHIFT 12 /* Of every write. */
#define MIXDIT_BUS_ATTRIBUTES_AWPROT_MASK 0x00007000u
#define MIXDIT_RING_IRQ_ENABLE_MARKED_SHIFT 0 /* A command that asks for an interrupt has ended. */
#define MIXDIT_RING_IRQ_ENABLE_MARKED_MASK 0x00000001u
#define MIXDIT_RING_IRQ_ENABLE_STOPPED_SHIFT 1 /* A fault has stopped the ring. */
#define MIXDIT_RING_IRQ_ENABLE_STOPPED_MASK 0x00000002u
#define MIXDIT_RING_CONTROL_RESUME_SHIFT 0 /* Try the command again at which the ring stands still. */
#define MIXDIT_RING_CONTROL_RESUME_MASK 0x00000001u
#define MIXDIT_RING_CONTROL_SKIP_SHIFT 1 /* Go on behind it: it counts as ended. */
#define MIXDIT_RING_CONTROL_SKIP_MASK 0x00000002u
#define MIXDIT_RING_CONTROL_LOCK_SHIFT 2 /* Keep the window as it is until a reset. */
#define MIXDIT_RING_CONTROL_LOCK_MASK 0x00000004u
#define MIXDIT_RING_IRQ_PENDING_MARKED_SHIFT 0 /* A command that asks for an interrupt has ended. */
#define MIXDIT_RING_IRQ_PENDING_MARKED_MASK 0x00000001u
#define MIXDIT_RING_IRQ_PENDING_STOPPED_SHIFT 1 /* A fault has stopped the ring. */
#define MIXDIT_RING_IRQ_PENDING_STOPPED_MASK 0x00000002u
#define MIXDIT_RING_STATUS_FAULT_SHIFT 0 /* Why the ring stands still at the command RING_COMPLETED; 0: it does not. */
#define MIXDIT_RING_STATUS_FAULT_MASK 0x0000000Fu
#define MIXDIT_RING_STATUS_IDLE_SHIFT 8 /* It stands still, and the bus is quiet. */
#define MIXDIT_RING_STATUS_IDLE_MASK 0x00000100u
#define MIXDIT_RING_STATUS_WAITS_SHIFT 9 /* A WAIT whose word has not come holds commands up. */
#define MIXDIT_RING_STATUS_WAITS_MASK 0x00000200u
#define MIXDIT_RING_STATUS_TIMED_OUT_SHIFT 10 /* The bus has been silent for BUS_TIMEOUT cycles, and still is. */
#define MIXDIT_RING_STATUS_TIMED_OUT_MASK 0x00000400u
#define MIXDIT_RING_STATUS_LOCKED_SHIFT 11 /* The window stays what it is until a reset. */
#define MIXDIT_RING_STATUS_LOCKED_MASK 0x00000800u

/* What settings hold after a reset, where it is not zero. */
#define MIXDIT_BUS_ATTRIBUTES_RESET 0x00000303u
#define MIXDIT_WINDOW_END_LOW_RESET 0xFFFFFFFFu
#define MIXDIT_WINDOW_END_HIGH_RESET 0xFFFFFFFFu

/* How activations are rounded to MX. */
enum mixdit_rounding {
    MIXDIT_ROUNDING_HALF_EVEN = 0,
    MIXDIT_ROUNDING_TRUNCATE = 1
};

/* What the job does. */
enum mixdit_job_kind {
    MIXDIT_JOB_KIND_GEMM = 0,
    MIXDIT_JOB_KIND_GEMM_PACKED = 1,
    MIXDIT_JOB_KIND_CONVERT = 2,
    MIXDIT_JOB_KIND_CONVERT_TRANSPOSED = 3
};

/* Format of the activations' elements. */
enum mixdit_job_format {
    MIXDIT_JOB_FORMAT_FP32 = 0,
    MIXDIT_JOB_FORMAT_FP16 = 1,
    MIXDIT_JOB_FORMAT_BF16 = 2
};

/* Format of a GEMM's results. */
enum mixdit_job_output {
    MIXDIT_JOB_OUTPUT_FP32 = 0,
    MIXDIT_JOB_OUTPUT_FP16 = 1,
    MIXDIT_JOB_OUTPUT_BF16 = 2,
    MIXDIT_JOB_OUTPUT_MX6 = 3,
    MIXDIT_JOB_OUTPUT_MX9 = 4
};

/* How outlier K-blocks are chosen. */
enum mixdit_job_selection {
    MIXDIT_JOB_SELECTION_TOP = 0,
    MIXDIT_JOB_SELECTION_THRESHOLD = 1,
    MIXDIT_JOB_SELECTION_STATIC = 2,
    MIXDIT_JOB_SELECTION_HEAD = 3
};

/* Why the job started last was refused. */
enum mixdit_refusal {
    MIXDIT_REFUSAL_NONE = 0,
    MIXDIT_REFUSAL_ZERO_SIZE = 1,
    MIXDIT_REFUSAL_K_TOO_LARGE = 2,
    MIXDIT_REFUSAL_TILES_OUT_OF_RANGE = 3,
    MIXDIT_REFUSAL_UNKNOWN_FORMAT = 4,
    MIXDIT_REFUSAL_UNKNOWN_SELECTION = 5,
    MIXDIT_REFUSAL_TOO_MANY_UNITS = 6,
    MIXDIT_REFUSAL_BAD_THRESHOLD = 7,
    MIXDIT_REFUSAL_QUEUE_FULL = 8,
    MIXDIT_REFUSAL_UNKNOWN_KIND = 9,
    MIXDIT_REFUSAL_UNKNOWN_OUTPUT = 10,
    MIXDIT_REFUSAL_UNKNOWN_TABLE = 11,
    MIXDIT_REFUSAL_BAD_COMBINATION = 12,
    MIXDIT_REFUSAL_DRAINING = 13,
    MIXDIT_REFUSAL_ORDER_DOUBLE = 14,
    MIXDIT_REFUSAL_ORDER_INCOMPLETE = 15,
    MIXDIT_REFUSAL_TAGS_INCOMPLETE = 16,
    MIXDIT_REFUSAL_UNKNOWN_FUNCTION = 17,
    MIXDIT_REFUSAL_UNKNOWN_ROWS = 18,
    MIXDIT_REFUSAL_BAD_SCALAR = 19
};

/* Why the ring stands still at the command RING_COMPLETED; 0: it does not. */
enum mixdit_ring_status_fault {
    MIXDIT_RING_STATUS_FAULT_NONE = 0,
    MIXDIT_RING_STATUS_FAULT_UNKNOWN_VERSION = 1,
    MIXDIT_RING_STATUS_FAULT_UNKNOWN_OPERATION = 2,
    MIXDIT_RING_STATUS_FAULT_RESERVED = 3,
    MIXDIT_RING_STATUS_FAULT_NO_COUNT = 4,
    MIXDIT_RING_STATUS_FAULT_UNALIGNED = 5,
    MIXDIT_RING_STATUS_FAULT_OUTSIDE = 6,
    MIXDIT_RING_STATUS_FAULT_OVERLONG = 7,
    MIXDIT_RING_STATUS_FAULT_REFUSED = 8,
    MIXDIT_RING_STATUS_FAULT_READ_SLVERR = 9,
    MIXDIT_RING_STATUS_FAULT_READ_DECERR = 10,
    MIXDIT_RING_STATUS_FAULT_WRITE_SLVERR = 11,
    MIXDIT_RING_STATUS_FAULT_WRITE_DECERR = 12,
    MIXDIT_RING_STATUS_FAULT_TIMEOUT = 13,
    MIXDIT_RING_STATUS_FAULT_OVERRUN = 14,
    MIXDIT_RING_STATUS_FAULT_SATURATED = 15
};

/* X(member, offset) of every build parameter. */
#define MIXDIT_PARAMETERS(X) \
    X(rows, MIXDIT_REG_ROWS) \
    X(cols, MIXDIT_REG_COLS) \
    X(acc_width, MIXDIT_REG_ACC_WIDTH) \
    X(k_max, MIXDIT_REG_K_MAX) \
    X(act_bytes, MIXDIT_REG_ACT_BYTES) \
    X(weight_bytes, MIXDIT_REG_WEIGHT_BYTES) \
    X(result_bytes, MIXDIT_REG_RESULT_BYTES) \
    X(act_depth, MIXDIT_REG_ACT_DEPTH) \
    X(weight_depth, MIXDIT_REG_WEIGHT_DEPTH) \
    X(tile_slots, MIXDIT_REG_TILE_SLOTS) \
    X(formats, MIXDIT_REG_FORMATS) \
    X(job_slots, MIXDIT_REG_JOB_SLOTS) \
    X(stage_depth, MIXDIT_REG_STAGE_DEPTH) \
    X(drain_lanes, MIXDIT_REG_DRAIN_LANES) \
    X(tables, MIXDIT_REG_TABLES) \
    X(fraction_bits, MIXDIT_REG_FRACTION_BITS) \
    X(rounding, MIXDIT_REG_ROUNDING) \
    X(outputs, MIXDIT_REG_OUTPUTS) \
    X(cell_stages, MIXDIT_REG_CELL_STAGES) \
    X(weight_slots, MIXDIT_REG_WEIGHT_SLOTS) \
    X(result_depth, MIXDIT_REG_RESULT_DEPTH) \
    X(bus_bytes, MIXDIT_REG_BUS_BYTES) \
    X(address_bits, MIXDIT_REG_ADDRESS_BITS) \
    X(burst_beats, MIXDIT_REG_BURST_BEATS) \
    X(read_depth, MIXDIT_REG_READ_DEPTH) \
    X(outstanding, MIXDIT_REG_OUTSTANDING) \
    X(bus_clock, MIXDIT_REG_BUS_CLOCK) \
    X(blocks_per_cycle, MIXDIT_REG_BLOCKS_PER_CYCLE)

/* X(member, offset of its lower half) of every counter. */
#define MIXDIT_COUNTERS(X) \
    X(cycles, MIXDIT_REG_CYCLES_LOW) \
    X(beats, MIXDIT_REG_BEATS_LOW) \
    X(skipped, MIXDIT_REG_SKIPPED_LOW) \
    X(act_stalls, MIXDIT_REG_ACT_STALLS_LOW) \
    X(weight_stalls, MIXDIT_REG_WEIGHT_STALLS_LOW) \
    X(result_stalls, MIXDIT_REG_RESULT_STALLS_LOW) \
    X(mx9_units, MIXDIT_REG_MX9_UNITS_LOW) \
    X(nan_blocks, MIXDIT_REG_NAN_BLOCKS_LOW) \
    X(saturated, MIXDIT_REG_SATURATED_LOW)

/* X(member, offset) of every counter of the bus. */
#define MIXDIT_BUS_COUNTERS(X) \
    X(read_bursts, MIXDIT_REG_READ_BURSTS) \
    X(read_beats, MIXDIT_REG_READ_BEATS) \
    X(read_stalls, MIXDIT_REG_READ_STALLS) \
    X(read_owed, MIXDIT_REG_READ_OWED) \
    X(write_bursts, MIXDIT_REG_WRITE_BURSTS) \
    X(write_beats, MIXDIT_REG_WRITE_BEATS) \
    X(write_stalls, MIXDIT_REG_WRITE_STALLS) \
    X(write_owed, MIXDIT_REG_WRITE_OWED)

/* X(code, what must hold). */
#define MIXDIT_REFUSALS(X) \
    X(MIXDIT_REFUSAL_NONE, "the job was taken") \
    X(MIXDIT_REFUSAL_ZERO_SIZE, "M, N and K must be at least 1") \
    X(MIXDIT_REFUSAL_K_TOO_LARGE, "K must not exceed K_MAX") \
    X(MIXDIT_REFUSAL_TILES_OUT_OF_RANGE, "JOB_TILES must be 1 to TILE_SLOTS, and its K-blocks fit ACT_DEPTH") \
    X(MIXDIT_REFUSAL_UNKNOWN_FORMAT, "the machine was not built for this activation format, see FORMATS") \
    X(MIXDIT_REFUSAL_UNKNOWN_SELECTION, "the selection must be top, threshold, static or head") \
    X(MIXDIT_REFUSAL_TOO_MANY_UNITS, "the outlier units must not exceed the K-blocks; for head they are 0 or 1") \
    X(MIXDIT_REFUSAL_BAD_THRESHOLD, "the threshold is a magnitude: an FP32 pattern without sign, and no NaN") \
    X(MIXDIT_REFUSAL_QUEUE_FULL, "too many jobs are under way: wait for one to end") \
    X(MIXDIT_REFUSAL_UNKNOWN_KIND, "the kind must be GEMM, GEMM_PACKED, CONVERT or CONVERT_TRANSPOSED") \
    X(MIXDIT_REFUSAL_UNKNOWN_OUTPUT, "the machine was not built for this output format, see OUTPUTS") \
    X(MIXDIT_REFUSAL_UNKNOWN_TABLE, "the table must be below TABLES") \
    X(MIXDIT_REFUSAL_BAD_COMBINATION, "jobs of this kind have no such flag or output, and no flag is unknown") \
    X(MIXDIT_REFUSAL_DRAINING, "the machine was aborted: resume it first") \
    X(MIXDIT_REFUSAL_ORDER_DOUBLE, "no channel may stand at two places of the table's order") \
    X(MIXDIT_REFUSAL_ORDER_INCOMPLETE, "the table's order must hold each of the K channels, and no other") \
    X(MIXDIT_REFUSAL_TAGS_INCOMPLETE, "the table must hold a static tag for each K-block of K, and no more") \
    X(MIXDIT_REFUSAL_UNKNOWN_FUNCTION, "the function must be none, exp2, GELU or SiLU") \
    X(MIXDIT_REFUSAL_UNKNOWN_ROWS, "rows are measured for LayerNorm, RMSNorm, their maximum, their sum, or not") \
    X(MIXDIT_REFUSAL_BAD_SCALAR, "N squared times epsilon must be a positive normal number")

/* X(code, what must hold, or what happened). */
#define MIXDIT_RING_FAULTS(X) \
    X(MIXDIT_RING_STATUS_FAULT_NONE, "nothing is wrong") \
    X(MIXDIT_RING_STATUS_FAULT_UNKNOWN_VERSION, "VERSION of the descriptor must be 1") \
    X(MIXDIT_RING_STATUS_FAULT_UNKNOWN_OPERATION, "OPERATION must be JOB or WAIT, or VECTOR where there is a vector unit") \
    X(MIXDIT_RING_STATUS_FAULT_RESERVED, "bits that the operation does not have must be zero") \
    X(MIXDIT_RING_STATUS_FAULT_NO_COUNT, "both batch counts must be at least 1") \
    X(MIXDIT_RING_STATUS_FAULT_UNALIGNED, "an address or a stride is no multiple of what its layout asks for") \
    X(MIXDIT_RING_STATUS_FAULT_OUTSIDE, "an access would leave the window, or the addresses that there are") \
    X(MIXDIT_RING_STATUS_FAULT_OVERLONG, "a packed tile, or a row of results, is longer than its stride") \
    X(MIXDIT_RING_STATUS_FAULT_REFUSED, "the machine refuses the job: REFUSAL says why") \
    X(MIXDIT_RING_STATUS_FAULT_READ_SLVERR, "a read was answered with SLVERR") \
    X(MIXDIT_RING_STATUS_FAULT_READ_DECERR, "a read was answered with DECERR") \
    X(MIXDIT_RING_STATUS_FAULT_WRITE_SLVERR, "a write was answered with SLVERR") \
    X(MIXDIT_RING_STATUS_FAULT_WRITE_DECERR, "a write was answered with DECERR") \
    X(MIXDIT_RING_STATUS_FAULT_TIMEOUT, "the bus gave no answer for as many cycles as BUS_TIMEOUT allows") \
    X(MIXDIT_RING_STATUS_FAULT_OVERRUN, "TAIL is further ahead of COMPLETED than the ring is long") \
    X(MIXDIT_RING_STATUS_FAULT_SATURATED, "exp2 had a number of 96 or more, whose power would not be right")

/* X(flag, what is wrong). */
#define MIXDIT_FAULTS(X) \
    X(MIXDIT_JOB_FAULTS_ACT_LENGTH_MASK, "an activation packet ended early or late") \
    X(MIXDIT_JOB_FAULTS_ACT_KEEP_MASK, "an activation packet has the wrong tkeep") \
    X(MIXDIT_JOB_FAULTS_WEIGHT_LENGTH_MASK, "a weight packet ended early or late") \
    X(MIXDIT_JOB_FAULTS_WEIGHT_KEEP_MASK, "a weight packet has a tkeep that is not all ones")

#ifdef __cplusplus
}
#endif

#endif /* MIXDIT_REGISTERS_H */
