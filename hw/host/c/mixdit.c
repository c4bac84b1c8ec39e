#include "mixdit.h"

#define BLOCK_SIZE 16u
#define BASE_BYTES 12u /* of a packed block */
#define FAULTS_SHIFT MIXDIT_IRQ_PENDING_ACT_LENGTH_SHIFT

/* Channels that load_order looks for at a time, a bit for each. */
#define WINDOW 1024u

static bool read32(const struct mixdit *machine, uint32_t address, uint32_t *value)
{
    return machine->bus.read32(machine->bus.context, address, value);
}

static bool write32(const struct mixdit *machine, uint32_t address, uint32_t value)
{
    return machine->bus.write32(machine->bus.context, address, value);
}

static uint32_t divide_up(uint32_t dividend, uint32_t divisor)
{
    return dividend / divisor + (dividend % divisor != 0u);
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

enum mixdit_result mixdit_open(struct mixdit *machine, const struct mixdit_bus *bus)
{
    uint32_t found;

    machine->bus = *bus;
    if (!read32(machine, MIXDIT_REG_ID, &found))
        return MIXDIT_BUS_ERROR;
    if (found != MIXDIT_IDENTIFICATION)
        return MIXDIT_NO_MACHINE;
    if (!read32(machine, MIXDIT_REG_VERSION, &found))
        return MIXDIT_BUS_ERROR;
    if ((found & MIXDIT_VERSION_MAJOR_MASK) != (MIXDIT_VERSION & MIXDIT_VERSION_MAJOR_MASK))
        return MIXDIT_OTHER_VERSION;
#define READ(member, offset)                                        \
    if (!read32(machine, (offset), &machine->parameters.member))    \
        return MIXDIT_BUS_ERROR;
    MIXDIT_PARAMETERS(READ)
#undef READ
    return MIXDIT_OK;
}

enum mixdit_result mixdit_start(const struct mixdit *machine, const struct mixdit_job *job,
                                enum mixdit_refusal *refusal)
{
    const struct {
        uint32_t address, value;
    } settings[] = {
        {MIXDIT_REG_JOB_KIND, job->kind},
        {MIXDIT_REG_JOB_M, job->m},
        {MIXDIT_REG_JOB_N, job->n},
        {MIXDIT_REG_JOB_K, job->k},
        {MIXDIT_REG_JOB_TILES, job->tiles},
        {MIXDIT_REG_JOB_FORMAT, job->format},
        {MIXDIT_REG_JOB_OUTPUT, job->output},
        {MIXDIT_REG_JOB_FLAGS, job->flags},
        {MIXDIT_REG_JOB_TABLE, job->table},
        {MIXDIT_REG_JOB_SELECTION, job->selection},
        {MIXDIT_REG_JOB_UNITS, job->units},
        {MIXDIT_REG_JOB_THRESHOLD, job->threshold},
        {MIXDIT_REG_CONTROL, MIXDIT_CONTROL_START_MASK},
    };
    uint32_t code;

    for (size_t index = 0; index < sizeof settings / sizeof settings[0]; index++)
        if (!write32(machine, settings[index].address, settings[index].value))
            return MIXDIT_BUS_ERROR;
    if (!read32(machine, MIXDIT_REG_REFUSAL, &code))
        return MIXDIT_BUS_ERROR;
    *refusal = (enum mixdit_refusal)code;
    if (code == MIXDIT_REFUSAL_NONE)
        return MIXDIT_OK;
    if (!write32(machine, MIXDIT_REG_IRQ_PENDING, MIXDIT_IRQ_PENDING_REFUSED_MASK))
        return MIXDIT_BUS_ERROR;
    return MIXDIT_REFUSED;
}

enum mixdit_result mixdit_jobs_ended(const struct mixdit *machine, uint32_t *ended)
{
    return read32(machine, MIXDIT_REG_JOBS_ENDED, ended) ? MIXDIT_OK : MIXDIT_BUS_ERROR;
}

enum mixdit_result mixdit_wait(const struct mixdit *machine, uint32_t ended, uint32_t polls)
{
    while (polls-- > 0u) {
        uint32_t now;

        if (!read32(machine, MIXDIT_REG_JOBS_ENDED, &now))
            return MIXDIT_BUS_ERROR;
        if (now - ended < UINT32_C(1) << 31) /* the count may have wrapped in between */
            return MIXDIT_OK;
    }
    return MIXDIT_TIMED_OUT;
}

enum mixdit_result mixdit_check(const struct mixdit *machine, uint32_t *faults)
{
    uint32_t pending;

    if (!read32(machine, MIXDIT_REG_IRQ_PENDING, &pending))
        return MIXDIT_BUS_ERROR;
    *faults = pending >> FAULTS_SHIFT;
    if (*faults == 0u)
        return MIXDIT_OK;
    if (!write32(machine, MIXDIT_REG_IRQ_PENDING, *faults << FAULTS_SHIFT))
        return MIXDIT_BUS_ERROR;
    return MIXDIT_FAULTED;
}

enum mixdit_result mixdit_enable_events(const struct mixdit *machine, uint32_t events)
{
    return write32(machine, MIXDIT_REG_IRQ_ENABLE, events) ? MIXDIT_OK : MIXDIT_BUS_ERROR;
}

enum mixdit_result mixdit_take_events(const struct mixdit *machine, uint32_t *events)
{
    /* Only what was read is cleared: what comes meanwhile keeps irq up. */
    if (!read32(machine, MIXDIT_REG_IRQ_PENDING, events) ||
        !write32(machine, MIXDIT_REG_IRQ_PENDING, *events))
        return MIXDIT_BUS_ERROR;
    return MIXDIT_OK;
}

enum mixdit_result mixdit_read_counters(const struct mixdit *machine,
                                        struct mixdit_counters *counters)
{
    uint32_t low, high;

#define READ(member, offset)                                                              \
    if (!read32(machine, (offset), &low) || !read32(machine, (offset) + 4u, &high))       \
        return MIXDIT_BUS_ERROR;                                                          \
    counters->member = (uint64_t)high << 32 | low;
    MIXDIT_COUNTERS(READ)
#undef READ
    return MIXDIT_OK;
}

static enum mixdit_result command(const struct mixdit *machine, uint32_t mask)
{
    return write32(machine, MIXDIT_REG_CONTROL, mask) ? MIXDIT_OK : MIXDIT_BUS_ERROR;
}

enum mixdit_result mixdit_abort(const struct mixdit *machine)
{
    return command(machine, MIXDIT_CONTROL_ABORT_MASK);
}

enum mixdit_result mixdit_output_pending(const struct mixdit *machine, bool *is_pending)
{
    uint32_t status;

    if (!read32(machine, MIXDIT_REG_STATUS, &status))
        return MIXDIT_BUS_ERROR;
    *is_pending = (status & MIXDIT_STATUS_OUTPUT_PENDING_MASK) != 0u;
    return MIXDIT_OK;
}

enum mixdit_result mixdit_resume(const struct mixdit *machine)
{
    return command(machine, MIXDIT_CONTROL_RESUME_MASK);
}

/* Every channel below `channels` has to occur; since there are as many entries, it does so once. */
bool mixdit_is_order(const uint16_t *order, uint32_t channels)
{
    for (uint32_t first = 0; first < channels; first += WINDOW) {
        uint32_t seen[WINDOW / 32u] = {0};
        uint32_t expected = smaller(WINDOW, channels - first), found = 0;

        for (uint32_t place = 0; place < channels; place++) {
            uint32_t offset = order[place] - first; /* wraps round if it lies below */
            uint32_t bit = UINT32_C(1) << offset % 32u;

            if (offset < expected && !(seen[offset / 32u] & bit)) {
                seen[offset / 32u] |= bit;
                found++;
            }
        }
        if (found != expected)
            return false;
    }
    return true;
}

/* Select a table and forget a part of it, a bit of TABLE_CLEAR. */
static enum mixdit_result clear_table(const struct mixdit *machine, uint32_t table, uint32_t part)
{
    if (table >= machine->parameters.tables)
        return MIXDIT_BAD_TABLE;
    return write32(machine, MIXDIT_REG_TABLE_SELECT, table) &&
                   write32(machine, MIXDIT_REG_TABLE_CLEAR, part)
               ? MIXDIT_OK
               : MIXDIT_BUS_ERROR;
}

enum mixdit_result mixdit_load_order(const struct mixdit *machine, uint32_t table,
                                     const uint16_t *order, uint32_t channels)
{
    enum mixdit_result result;

    if (channels > machine->parameters.k_max || !mixdit_is_order(order, channels))
        return MIXDIT_BAD_ORDER;
    result = clear_table(machine, table, MIXDIT_TABLE_CLEAR_ORDER_MASK);
    for (uint32_t place = 0; result == MIXDIT_OK && place < channels; place++)
        if (!write32(machine, MIXDIT_REG_ORDER_ENTRY,
                     (uint32_t)order[place] << MIXDIT_ORDER_ENTRY_CHANNEL_SHIFT |
                         place << MIXDIT_ORDER_ENTRY_PLACE_SHIFT))
            result = MIXDIT_BUS_ERROR;
    return result;
}

enum mixdit_result mixdit_load_tags(const struct mixdit *machine, uint32_t table,
                                    const bool *is_mx9, uint32_t k_blocks)
{
    enum mixdit_result result;

    if (k_blocks > divide_up(machine->parameters.k_max, BLOCK_SIZE))
        return MIXDIT_BAD_TABLE;
    result = clear_table(machine, table, MIXDIT_TABLE_CLEAR_TAGS_MASK);
    for (uint32_t k_block = 0; result == MIXDIT_OK && k_block < k_blocks; k_block++)
        if (!write32(machine, MIXDIT_REG_TAG_ENTRY,
                     k_block << MIXDIT_TAG_ENTRY_K_BLOCK_SHIFT |
                         (uint32_t)is_mx9[k_block] << MIXDIT_TAG_ENTRY_MX9_SHIFT))
            result = MIXDIT_BUS_ERROR;
    return result;
}

enum mixdit_result mixdit_read_maximum(const struct mixdit *machine, uint16_t channel,
                                       uint32_t *pattern)
{
    if (!write32(machine, MIXDIT_REG_MAXIMUM_CHANNEL, channel) ||
        !read32(machine, MIXDIT_REG_MAXIMUM, pattern))
        return MIXDIT_BUS_ERROR;
    return MIXDIT_OK;
}

uint32_t mixdit_resident_tiles(const struct mixdit *machine, uint32_t m, uint32_t k)
{
    const struct mixdit_parameters *p = &machine->parameters;
    uint32_t k_blocks = larger(divide_up(k, BLOCK_SIZE), 1u);
    /* Half of the memory, so that the other half takes the next group meanwhile; but not so few
     * tiles that the weight stream can't keep the array busy. */
    uint32_t enough = divide_up(p->cols * BASE_BYTES, p->weight_bytes) + 1u;
    uint32_t fit = larger(p->act_depth / 2u / k_blocks, smaller(enough, p->act_depth / k_blocks));

    return smaller(larger(fit, 1u), smaller(p->tile_slots / 2u, divide_up(m, p->rows)));
}

uint32_t mixdit_weight_passes(const struct mixdit *machine, const struct mixdit_job *job)
{
    if (job->kind != MIXDIT_JOB_KIND_GEMM && job->kind != MIXDIT_JOB_KIND_GEMM_PACKED)
        return 0u;
    return divide_up(divide_up(job->m, machine->parameters.rows), larger(job->tiles, 1u));
}

const char *mixdit_result_text(enum mixdit_result result)
{
    switch (result) {
    case MIXDIT_OK:
        return "done";
    case MIXDIT_BUS_ERROR:
        return "a register access was refused";
    case MIXDIT_NO_MACHINE:
        return "no accelerator answers";
    case MIXDIT_OTHER_VERSION:
        return "the machine's register map is of another version";
    case MIXDIT_REFUSED:
        return "the machine did not take the job";
    case MIXDIT_FAULTED:
        return "packets did not fit their job";
    case MIXDIT_TIMED_OUT:
        return "it has not come to its end";
    case MIXDIT_BAD_ORDER:
        return "an order must name every channel once, and no more than K_MAX";
    case MIXDIT_BAD_TABLE:
        return "there is no such table, or it has no such entry";
    case MIXDIT_NO_RING:
        return "the machine has streams, and no command ring";
    case MIXDIT_BAD_COMMAND:
        return "a field of a command is too large, or its operation does not have it";
    case MIXDIT_NOT_EARLIER:
        return "a command can only wait for one that comes before it";
    case MIXDIT_BAD_RING:
        return "the place, the size or a setting of the ring is none that the machine takes";
    case MIXDIT_BAD_WINDOW:
        return "a window begins and ends at multiples of 4096, and is not empty";
    case MIXDIT_LOCKED:
        return "the window is locked until a reset";
    case MIXDIT_BUSY:
        return "the ring is on, or its bus is not quiet yet";
    case MIXDIT_FULL:
        return "the ring has no room for so many commands, and took none";
    case MIXDIT_STOPPED:
        return "the ring stands still at a faulty command";
    case MIXDIT_NOT_STOPPED:
        return "the ring does not stand still at a command";
    case MIXDIT_BAD_MATRIX:
        return "a matrix has numbers of a known format, in rows no longer than their stride";
    case MIXDIT_BAD_PRECISION:
        return "blocks are MX9, MX6 or MX4, rounded half to even or truncated";
    case MIXDIT_BAD_STRIDE:
        return "the stride of packed tiles is a multiple of 64, and no tile is longer";
    case MIXDIT_NO_SPACE:
        return "the packed tiles are longer than their place";
    }
    return "this is no result of this driver";
}

const char *mixdit_refusal_text(enum mixdit_refusal refusal)
{
    switch (refusal) {
#define TEXT(code, text) \
    case code:           \
        return text;
        MIXDIT_REFUSALS(TEXT)
#undef TEXT
    }
    return "only a newer driver can name this refusal";
}

/* Text that is cut where its place ends; `length` counts all of it. */
struct text {
    char *start;
    size_t size, length;
};

static void put(struct text *text, const char *words)
{
    for (; *words != '\0'; words++, text->length++)
        if (text->length < text->size)
            text->start[text->length] = *words;
}

static void put_separated(struct text *text, const char *words)
{
    if (text->length > 0u)
        put(text, "; ");
    put(text, words);
}

static void put_hex(struct text *text, uint32_t value)
{
    put(text, "0x");
    for (int shift = 28; shift >= 0; shift -= 4)
        put(text, (char[]){"0123456789ABCDEF"[value >> shift & 0xFu], '\0'});
}

size_t mixdit_fault_text(uint32_t faults, char *text, size_t size)
{
    struct text all = {text, size, 0u};
    uint32_t unknown = faults;

    if (faults == 0u)
        put(&all, "no fault");
#define PUT(flag, words)                 \
    if (faults & (flag))                 \
        put_separated(&all, words);      \
    unknown &= ~(flag);
    MIXDIT_FAULTS(PUT)
#undef PUT
    if (unknown != 0u) {
        put_separated(&all, "unknown faults ");
        put_hex(&all, unknown);
    }
    if (size > 0u)
        text[all.length < size ? all.length : size - 1u] = '\0';
    return all.length;
}
