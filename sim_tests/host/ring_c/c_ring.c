/* The C driver of the ring as a process, for c_ring.py: beside register accesses, cache hooks go out
 * on stdout. The machine sees nothing of this process's memory but what is cleaned, and the process
 * nothing of the machine's but what it invalidates. */
#include <string.h>

#include "attention.h"
#include "mixdit_pack.h"
#include "mixdit_ring.h"
#include "pipe.h"

/* In the order of CALLS in c_ring.py. */
enum call {
    OPEN, SET_UP, SET_WINDOW, LOCK_WINDOW, ENABLE, DISABLE, ROOM, SUBMIT, ENDED, WAIT, GIVE, TAKE,
    ENABLE_EVENTS, TAKE_EVENTS, STATUS, RESUME_RING, SKIP, BUS_COUNTERS, RESULT_TEXT, FAULT_TEXT,
    PACK_COMMAND, FENCE, POKE, PEEK, PACK, LENGTHS, ATTEND
};

enum { MEMORY = 1 << 20, MOST_COMMANDS = 64 };

/* What this host and the machine share, as this host sees it. */
static uint8_t memory[MEMORY];

static uint32_t offset_of(const void *start)
{
    return (uint32_t)((const uint8_t *)start - memory);
}

static void clean(void *context, const void *start, size_t size)
{
    (void)context;
    send(CLEAN);
    send(offset_of(start));
    send((uint32_t)size);
    fwrite(start, 1, size, stdout);
    if (!is_done())
        exit(EXIT_FAILURE);
}

static void invalidate(void *context, void *start, size_t size)
{
    (void)context;
    send(INVALIDATE);
    send(offset_of(start));
    send((uint32_t)size);
    if (!is_done() || fread(start, 1, size, stdin) != size)
        exit(EXIT_FAILURE);
}

static void barrier(void *context)
{
    (void)context;
    send(BARRIER);
    if (!is_done())
        exit(EXIT_FAILURE);
}

static uint64_t wide(const uint32_t *words)
{
    return words[0] | (uint64_t)words[1] << 32;
}

static void set(void *member, size_t size, uint64_t value)
{
    if (size == sizeof(uint64_t))
        *(uint64_t *)member = value;
    else
        *(uint32_t *)member = (uint32_t)value;
}

/* Read a command, two words for each field; return what follows it. */
static const uint32_t *make_command(const uint32_t *words, struct mixdit_command *command)
{
#define MEMBER(member, word, shift, width, operations)                  \
    set(&command->member, sizeof command->member, wide(words));         \
    words += 2;
    MIXDIT_DESCRIPTOR_FIELDS(MEMBER)
#undef MEMBER
    return words;
}

static uint32_t submit(struct mixdit_ring *ring, const uint32_t *words)
{
    static struct mixdit_command commands[MOST_COMMANDS];
    const uint32_t count = *words++;
    uint32_t first = UINT32_MAX, result;

    for (uint32_t index = 0; index < count; index++)
        words = make_command(words, &commands[index]);
    result = mixdit_ring_submit(ring, commands, count, &first);
    give(first);
    return result;
}

static uint32_t pack_command(const uint32_t *words)
{
    struct mixdit_command command;
    uint8_t descriptor[MIXDIT_DESCRIPTOR_BYTES];
    uint32_t result;

    make_command(words, &command);
    result = mixdit_command_pack(&command, descriptor);
    if (result == MIXDIT_OK)
        for (size_t index = 0; index < sizeof descriptor; index++)
            give(descriptor[index]);
    return result;
}

/* NULL, or what lies at an offset. */
static void *at(uint32_t offset)
{
    return offset == UINT32_MAX ? NULL : memory + offset;
}

static uint32_t pack(const uint32_t *words)
{
    static bool outliers[MOST_WORDS];
    static uint16_t order[MOST_WORDS];
    const struct mixdit_tiling tiling = {words[0], words[1]};
    const struct mixdit_matrix matrix = {at(words[2]), words[3], words[4],
                                         words[5],     words[6], words[7] != 0u};
    struct mixdit_precision precision = {(enum mixdit_block_format)words[8],
                                         (enum mixdit_block_format)words[9], NULL, NULL, words[10]};
    const uint32_t flags = words[14], channels = words[15];

    words += 16;
    for (uint32_t index = 0; index < flags; index++)
        outliers[index] = *words++ != 0u;
    for (uint32_t index = 0; index < channels; index++)
        order[index] = (uint16_t)*words++;
    if (flags > 0u)
        precision.is_outlier = outliers;
    if (channels > 0u)
        precision.order = order;
    words -= 16u + flags + channels;
    return mixdit_pack(&tiling, &matrix, &precision, memory + words[11], words[12], words[13]);
}

static uint32_t lengths(const uint32_t *words)
{
    const struct mixdit_tiling tiling = {words[0], words[1]};
    const uint64_t found[] = {
        mixdit_packet_bytes(&tiling, words[2], words[3], words[4]),
        mixdit_tile_stride(&tiling, words[3], words[4]),
        mixdit_tiles_bytes(&tiling, words[2], words[3], words[4])};

    for (size_t index = 0; index < sizeof found / sizeof found[0]; index++) {
        give((uint32_t)found[index]);
        give((uint32_t)(found[index] >> 32));
    }
    return mixdit_tiles(&tiling, words[2]);
}

static uint32_t attend(struct mixdit_ring *ring, const uint32_t *words)
{
    struct attention_shape shape = {words[0], words[1], words[2], 0.0f, words[4] != 0u};
    const struct attention_input input = {
        at(words[5]), {at(words[6]), at(words[7]), at(words[8]), at(words[9])}};
    const struct arena arena = {memory + words[10], wide(words + 11), words[13]};
    struct attention_places places = {0};
    uint32_t result;

    memcpy(&shape.scale, &words[3], sizeof shape.scale);
    result = run_attention(ring, &shape, &input, &arena, words[14], &places);
    if (result != MIXDIT_OK)
        return result;
    give(offset_of(places.q.bytes));
    give(offset_of(places.k.bytes));
    give(offset_of(places.v.bytes));
    give(offset_of(places.scores.bytes));
    give(offset_of(places.heads.bytes));
    give(offset_of(places.out.bytes));
    return result;
}

static uint32_t status(const struct mixdit_ring *ring)
{
    struct mixdit_ring_status found = {0};
    const uint32_t result = mixdit_ring_status(ring, &found);

    give(found.fault);
    give(found.refusal);
    give(found.ended);
    give(found.is_idle);
    give(found.waits);
    give(found.is_silent);
    give(found.is_locked);
    return result;
}

static uint32_t set_up(struct mixdit_ring *ring, const uint32_t *words)
{
    const struct mixdit_ring_setup setup = {at(words[0]), wide(words + 1), words[3],
                                            wide(words + 4), words[6], words[7]};
    const uint32_t result = mixdit_ring_set_up(ring, &setup);

    give(ring->tail);
    return result;
}

static uint32_t handle(uint32_t call, const uint32_t *words, uint32_t count)
{
    static const struct mixdit_bus bus = {read32, write32, NULL};
    static const struct mixdit_caches caches = {clean, invalidate, barrier, NULL};
    static struct mixdit_ring ring;
    struct mixdit_bus_counters counters = {0};
    uint32_t result, value = UINT32_MAX;

    switch ((enum call)call) {
    case OPEN:
        return mixdit_ring_open(&ring, &bus, &caches);
    case SET_UP:
        return set_up(&ring, words);
    case SET_WINDOW:
        return mixdit_ring_set_window(&ring, wide(words), wide(words + 2));
    case LOCK_WINDOW:
        return mixdit_ring_lock_window(&ring);
    case ENABLE:
        return mixdit_ring_enable(&ring);
    case DISABLE:
        return mixdit_ring_disable(&ring, words[0]);
    case ROOM:
        result = mixdit_ring_room(&ring, &value);
        give(value);
        return result;
    case SUBMIT:
        return submit(&ring, words);
    case ENDED:
        result = mixdit_ring_ended(&ring, &value);
        give(value);
        return result;
    case WAIT:
        return mixdit_ring_wait(&ring, words[0], words[1]);
    case GIVE:
        mixdit_ring_give(&ring, memory + words[0], words[1]);
        return MIXDIT_OK;
    case TAKE:
        mixdit_ring_take(&ring, memory + words[0], words[1]);
        return MIXDIT_OK;
    case ENABLE_EVENTS:
        return mixdit_ring_enable_events(&ring, words[0]);
    case TAKE_EVENTS:
        result = mixdit_ring_take_events(&ring, &value);
        give(value);
        return result;
    case STATUS:
        return status(&ring);
    case RESUME_RING:
        return mixdit_ring_resume(&ring, words[0]);
    case SKIP:
        return mixdit_ring_skip(&ring, words[0]);
    case BUS_COUNTERS:
        result = mixdit_ring_bus_counters(&ring, &counters);
#define GIVE_ONE(member, offset) give(counters.member);
        MIXDIT_BUS_COUNTERS(GIVE_ONE)
#undef GIVE_ONE
        return result;
    case RESULT_TEXT:
        give_text(mixdit_result_text((enum mixdit_result)words[0]));
        return 0u;
    case FAULT_TEXT:
        give_text(mixdit_ring_fault_text((enum mixdit_ring_status_fault)words[0]));
        return 0u;
    case PACK_COMMAND:
        return pack_command(words);
    case FENCE:
        result = mixdit_fence(words[0], words[1], &value);
        give(value);
        return result;
    case POKE:
        for (uint32_t index = 1; index < count; index++)
            memory[words[0] + index - 1u] = (uint8_t)words[index];
        return 0u;
    case PEEK:
        for (uint32_t index = 0; index < words[1]; index++)
            give(memory[words[0] + index]);
        return 0u;
    case PACK:
        return pack(words);
    case LENGTHS:
        return lengths(words);
    case ATTEND:
        return attend(&ring, words);
    }
    exit(EXIT_FAILURE);
}

int main(void)
{
    serve(handle);
}
