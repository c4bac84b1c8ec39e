#include "mixdit_command.h"

#define FURTHEST (MIXDIT_DESCRIPTOR_WAIT_A_MASK >> MIXDIT_DESCRIPTOR_WAIT_A_SHIFT)

/* Put a value's bits into a word of the descriptor, beside those that are there. */
static void put(uint8_t *descriptor, uint32_t word, uint32_t bits)
{
    for (uint32_t byte = 0; byte < 4u; byte++)
        descriptor[4u * word + byte] |= (uint8_t)(bits >> 8u * byte & 0xFFu);
}

enum mixdit_result mixdit_command_pack(const struct mixdit_command *command, uint8_t *descriptor)
{
    const uint32_t operation = command->operation;

    if (operation < MIXDIT_OPERATION_JOB || operation > MIXDIT_OPERATION_VECTOR)
        return MIXDIT_BAD_COMMAND;
    for (uint32_t byte = 0; byte < MIXDIT_DESCRIPTOR_BYTES; byte++)
        descriptor[byte] = 0u;
    put(descriptor, MIXDIT_DESCRIPTOR_VERSION_WORD,
        MIXDIT_DESCRIPTOR_VERSION << MIXDIT_DESCRIPTOR_VERSION_SHIFT);
#define PUT(member, word, shift, width, operations)                                            \
    if (command->member != 0u) {                                                               \
        const uint64_t value = command->member;                                                \
                                                                                               \
        if (!((operations) >> operation & 1u) || value > UINT64_MAX >> (64u - (width)))        \
            return MIXDIT_BAD_COMMAND;                                                         \
        put(descriptor, (word), (uint32_t)value << (shift));                                   \
        if ((width) > 32u)                                                                     \
            put(descriptor, (word) + 1u, (uint32_t)(value >> 32));                             \
    }
    MIXDIT_DESCRIPTOR_FIELDS(PUT)
#undef PUT
    return MIXDIT_OK;
}

enum mixdit_result mixdit_fence(uint32_t command, uint32_t earlier, uint32_t *distance)
{
    const uint32_t between = command - earlier; /* right where the count has wrapped, too */

    if (between == 0u || between >> 31 != 0u)
        return MIXDIT_NOT_EARLIER;
    *distance = between < FURTHEST ? between : FURTHEST;
    return MIXDIT_OK;
}
