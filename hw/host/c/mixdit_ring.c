#include "mixdit_ring.h"

#define PAGE_BYTES 4096u
#define MOST_SIZE_LOG2 31u /* counts of 32 bits tell a full ring from an empty one up to here */

#define ATTRIBUTES                                                                              \
    (MIXDIT_BUS_ATTRIBUTES_ARCACHE_MASK | MIXDIT_BUS_ATTRIBUTES_ARPROT_MASK |                   \
     MIXDIT_BUS_ATTRIBUTES_AWCACHE_MASK | MIXDIT_BUS_ATTRIBUTES_AWPROT_MASK)

static bool read32(const struct mixdit_ring *ring, uint32_t address, uint32_t *value)
{
    return ring->machine.bus.read32(ring->machine.bus.context, address, value);
}

static bool write32(const struct mixdit_ring *ring, uint32_t address, uint32_t value)
{
    return ring->machine.bus.write32(ring->machine.bus.context, address, value);
}

static bool write64(const struct mixdit_ring *ring, uint32_t address, uint64_t value)
{
    return write32(ring, address, (uint32_t)value) &&
           write32(ring, address + 4u, (uint32_t)(value >> 32));
}

static void barrier(const struct mixdit_ring *ring)
{
    if (ring->caches.barrier != NULL)
        ring->caches.barrier(ring->caches.context);
}

/* Whether the bus has such an address; they have 32 bits at least. */
static bool is_address(const struct mixdit_ring *ring, uint64_t address)
{
    const uint32_t bits = ring->machine.parameters.address_bits, high = (uint32_t)(address >> 32);

    return bits >= 64u || (bits >= 32u && high >> (bits - 32u) == 0u);
}

enum mixdit_result mixdit_ring_open(struct mixdit_ring *ring, const struct mixdit_bus *registers,
                                    const struct mixdit_caches *caches)
{
    const enum mixdit_result result = mixdit_open(&ring->machine, registers);

    if (result != MIXDIT_OK)
        return result;
    if (ring->machine.parameters.bus_bytes == 0u)
        return MIXDIT_NO_RING;
    ring->caches = *caches;
    ring->descriptors = NULL;
    ring->size = 0u;
    ring->tail = 0u;
    return MIXDIT_OK;
}

/* Whether a ring, as it is described, is one that the machine can have. */
static bool is_ring(const struct mixdit_ring *ring, const struct mixdit_ring_setup *setup)
{
    uint64_t bytes;

    if (setup->size_log2 > MOST_SIZE_LOG2 || setup->descriptors == NULL)
        return false;
    bytes = (uint64_t)MIXDIT_DESCRIPTOR_BYTES * (UINT32_C(1) << setup->size_log2);
    return bytes <= SIZE_MAX && setup->address % MIXDIT_DESCRIPTOR_ALIGNMENT == 0u &&
           bytes - 1u <= UINT64_MAX - setup->address &&
           is_address(ring, setup->address + (bytes - 1u)) &&
           setup->notify_address % 4u == 0u && is_address(ring, setup->notify_address) &&
           (setup->attributes & ~ATTRIBUTES) == 0u;
}

/* Whether the ring is off and quiet: MIXDIT_OK, else MIXDIT_BUSY. */
static enum mixdit_result check_off(const struct mixdit_ring *ring)
{
    uint32_t enabled, status;

    if (!read32(ring, MIXDIT_REG_RING_ENABLE, &enabled) ||
        !read32(ring, MIXDIT_REG_RING_STATUS, &status))
        return MIXDIT_BUS_ERROR;
    return (enabled & MIXDIT_RING_ENABLE_ENABLE_MASK) != 0u ||
                   (status & MIXDIT_RING_STATUS_IDLE_MASK) == 0u
               ? MIXDIT_BUSY
               : MIXDIT_OK;
}

enum mixdit_result mixdit_ring_set_up(struct mixdit_ring *ring,
                                      const struct mixdit_ring_setup *setup)
{
    enum mixdit_result result;
    uint32_t ended;

    if (!is_ring(ring, setup))
        return MIXDIT_BAD_RING;
    result = check_off(ring);
    if (result != MIXDIT_OK)
        return result;
    /* No count goes back to 0: the machine's next command is the one that it has counted to. */
    if (!read32(ring, MIXDIT_REG_RING_COMPLETED, &ended) ||
        !write32(ring, MIXDIT_REG_RING_TAIL, ended) ||
        !write64(ring, MIXDIT_REG_RING_BASE_LOW, setup->address) ||
        !write32(ring, MIXDIT_REG_RING_SIZE_LOG2, setup->size_log2) ||
        !write64(ring, MIXDIT_REG_NOTIFY_ADDRESS_LOW, setup->notify_address) ||
        !write32(ring, MIXDIT_REG_BUS_TIMEOUT, setup->timeout) ||
        !write32(ring, MIXDIT_REG_BUS_ATTRIBUTES, setup->attributes))
        return MIXDIT_BUS_ERROR;
    ring->descriptors = (uint8_t *)setup->descriptors;
    ring->size = UINT32_C(1) << setup->size_log2;
    ring->tail = ended;
    return MIXDIT_OK;
}

enum mixdit_result mixdit_ring_set_window(const struct mixdit_ring *ring, uint64_t first,
                                          uint64_t end)
{
    enum mixdit_result result;
    uint32_t status;

    if (first % PAGE_BYTES != 0u || end % PAGE_BYTES != 0u || first >= end)
        return MIXDIT_BAD_WINDOW;
    if (!read32(ring, MIXDIT_REG_RING_STATUS, &status))
        return MIXDIT_BUS_ERROR;
    if ((status & MIXDIT_RING_STATUS_LOCKED_MASK) != 0u)
        return MIXDIT_LOCKED;
    result = check_off(ring);
    if (result != MIXDIT_OK)
        return result;
    return write64(ring, MIXDIT_REG_WINDOW_BASE_LOW, first) &&
                   write64(ring, MIXDIT_REG_WINDOW_END_LOW, end)
               ? MIXDIT_OK
               : MIXDIT_BUS_ERROR;
}

enum mixdit_result mixdit_ring_lock_window(const struct mixdit_ring *ring)
{
    return write32(ring, MIXDIT_REG_RING_CONTROL, MIXDIT_RING_CONTROL_LOCK_MASK)
               ? MIXDIT_OK
               : MIXDIT_BUS_ERROR;
}

enum mixdit_result mixdit_ring_enable(const struct mixdit_ring *ring)
{
    if (ring->size == 0u)
        return MIXDIT_BAD_RING;
    return write32(ring, MIXDIT_REG_RING_ENABLE, MIXDIT_RING_ENABLE_ENABLE_MASK)
               ? MIXDIT_OK
               : MIXDIT_BUS_ERROR;
}

/* Look until the ring stands still with a quiet bus; *status is what was seen last. */
static enum mixdit_result come_to_rest(const struct mixdit_ring *ring, uint32_t polls,
                                       uint32_t *status)
{
    while (polls-- > 0u) {
        if (!read32(ring, MIXDIT_REG_RING_STATUS, status))
            return MIXDIT_BUS_ERROR;
        if ((*status & MIXDIT_RING_STATUS_IDLE_MASK) != 0u)
            return MIXDIT_OK;
    }
    return MIXDIT_TIMED_OUT;
}

enum mixdit_result mixdit_ring_disable(const struct mixdit_ring *ring, uint32_t polls)
{
    enum mixdit_result result;
    uint32_t status;

    if (!write32(ring, MIXDIT_REG_RING_ENABLE, 0u))
        return MIXDIT_BUS_ERROR;
    result = come_to_rest(ring, polls, &status);
    barrier(ring);
    return result;
}

enum mixdit_result mixdit_ring_ended(const struct mixdit_ring *ring, uint32_t *ended)
{
    if (!read32(ring, MIXDIT_REG_RING_COMPLETED, ended))
        return MIXDIT_BUS_ERROR;
    barrier(ring); /* what those commands wrote is not read before this */
    return MIXDIT_OK;
}

enum mixdit_result mixdit_ring_room(const struct mixdit_ring *ring, uint32_t *room)
{
    enum mixdit_result result;
    uint32_t ended;

    if (ring->size == 0u)
        return MIXDIT_BAD_RING;
    result = mixdit_ring_ended(ring, &ended);
    if (result == MIXDIT_OK) { /* a machine that was reset has counts of its own: no room at all */
        const uint32_t left = ring->tail - ended;

        *room = left < ring->size ? ring->size - left : 0u;
    }
    return result;
}

/* Clean the places of commands from sequence number `first` on; they may go round the ring. */
static void clean_descriptors(const struct mixdit_ring *ring, uint32_t first, uint32_t count)
{
    const uint32_t place = first & (ring->size - 1u);
    const uint32_t straight = count < ring->size - place ? count : ring->size - place;

    if (ring->caches.clean == NULL)
        return;
    ring->caches.clean(ring->caches.context,
                       ring->descriptors + (size_t)place * MIXDIT_DESCRIPTOR_BYTES,
                       (size_t)straight * MIXDIT_DESCRIPTOR_BYTES);
    if (straight < count)
        ring->caches.clean(ring->caches.context, ring->descriptors,
                           (size_t)(count - straight) * MIXDIT_DESCRIPTOR_BYTES);
}

enum mixdit_result mixdit_ring_submit(struct mixdit_ring *ring,
                                      const struct mixdit_command *commands, uint32_t count,
                                      uint32_t *first)
{
    uint32_t room;
    enum mixdit_result result = mixdit_ring_room(ring, &room);

    if (result == MIXDIT_OK && count > room)
        result = MIXDIT_FULL;
    for (uint32_t index = 0; result == MIXDIT_OK && index < count; index++) {
        const uint32_t place = (ring->tail + index) & (ring->size - 1u);

        result = mixdit_command_pack(
            &commands[index], ring->descriptors + (size_t)place * MIXDIT_DESCRIPTOR_BYTES);
    }
    if (result != MIXDIT_OK)
        return result;
    if (first != NULL)
        *first = ring->tail;
    if (count == 0u)
        return MIXDIT_OK;
    clean_descriptors(ring, ring->tail, count);
    barrier(ring); /* the doorbell comes after what it announces */
    if (!write32(ring, MIXDIT_REG_RING_TAIL, ring->tail + count))
        return MIXDIT_BUS_ERROR;
    ring->tail += count;
    return MIXDIT_OK;
}

enum mixdit_result mixdit_ring_wait(const struct mixdit_ring *ring, uint32_t ended, uint32_t polls)
{
    while (polls-- > 0u) {
        uint32_t now, status;
        const enum mixdit_result result = mixdit_ring_ended(ring, &now);

        if (result != MIXDIT_OK)
            return result;
        if (now - ended < UINT32_C(1) << 31) /* the count may have wrapped in between */
            return MIXDIT_OK;
        if (!read32(ring, MIXDIT_REG_RING_STATUS, &status))
            return MIXDIT_BUS_ERROR;
        if ((status & MIXDIT_RING_STATUS_FAULT_MASK) != 0u)
            return MIXDIT_STOPPED;
    }
    return MIXDIT_TIMED_OUT;
}

void mixdit_ring_give(const struct mixdit_ring *ring, const void *start, size_t size)
{
    if (ring->caches.clean != NULL)
        ring->caches.clean(ring->caches.context, start, size);
    barrier(ring);
}

void mixdit_ring_take(const struct mixdit_ring *ring, void *start, size_t size)
{
    barrier(ring);
    if (ring->caches.invalidate != NULL)
        ring->caches.invalidate(ring->caches.context, start, size);
}

enum mixdit_result mixdit_ring_enable_events(const struct mixdit_ring *ring, uint32_t events)
{
    return write32(ring, MIXDIT_REG_RING_IRQ_ENABLE, events) ? MIXDIT_OK : MIXDIT_BUS_ERROR;
}

enum mixdit_result mixdit_ring_take_events(const struct mixdit_ring *ring, uint32_t *events)
{
    /* Only what was read is cleared: what comes meanwhile keeps irq up. */
    if (!read32(ring, MIXDIT_REG_RING_IRQ_PENDING, events) ||
        !write32(ring, MIXDIT_REG_RING_IRQ_PENDING, *events))
        return MIXDIT_BUS_ERROR;
    return MIXDIT_OK;
}

enum mixdit_result mixdit_ring_status(const struct mixdit_ring *ring,
                                      struct mixdit_ring_status *status)
{
    uint32_t word, refusal = MIXDIT_REFUSAL_NONE;

    /* The fault first: while there is one, the count and the refusal stay what they are. */
    if (!read32(ring, MIXDIT_REG_RING_STATUS, &word) ||
        !read32(ring, MIXDIT_REG_RING_COMPLETED, &status->ended))
        return MIXDIT_BUS_ERROR;
    status->fault = (enum mixdit_ring_status_fault)((word & MIXDIT_RING_STATUS_FAULT_MASK) >>
                                                    MIXDIT_RING_STATUS_FAULT_SHIFT);
    if (status->fault == MIXDIT_RING_STATUS_FAULT_REFUSED &&
        !read32(ring, MIXDIT_REG_REFUSAL, &refusal))
        return MIXDIT_BUS_ERROR;
    status->refusal = (enum mixdit_refusal)refusal;
    status->is_idle = (word & MIXDIT_RING_STATUS_IDLE_MASK) != 0u;
    status->waits = (word & MIXDIT_RING_STATUS_WAITS_MASK) != 0u;
    status->is_silent = (word & MIXDIT_RING_STATUS_TIMED_OUT_MASK) != 0u;
    status->is_locked = (word & MIXDIT_RING_STATUS_LOCKED_MASK) != 0u;
    return MIXDIT_OK;
}

/* Let a ring that stands still at a command go on. */
static enum mixdit_result go_on(const struct mixdit_ring *ring, uint32_t polls, uint32_t how)
{
    enum mixdit_result result;
    uint32_t status;

    if (!read32(ring, MIXDIT_REG_RING_STATUS, &status))
        return MIXDIT_BUS_ERROR;
    if ((status & MIXDIT_RING_STATUS_FAULT_MASK) == 0u)
        return MIXDIT_NOT_STOPPED;
    result = come_to_rest(ring, polls, &status); /* before that the machine does not listen */
    if (result != MIXDIT_OK)
        return result;
    return write32(ring, MIXDIT_REG_RING_CONTROL, how) ? MIXDIT_OK : MIXDIT_BUS_ERROR;
}

enum mixdit_result mixdit_ring_resume(const struct mixdit_ring *ring, uint32_t polls)
{
    return go_on(ring, polls, MIXDIT_RING_CONTROL_RESUME_MASK);
}

enum mixdit_result mixdit_ring_skip(const struct mixdit_ring *ring, uint32_t polls)
{
    return go_on(ring, polls, MIXDIT_RING_CONTROL_SKIP_MASK);
}

enum mixdit_result mixdit_ring_bus_counters(const struct mixdit_ring *ring,
                                            struct mixdit_bus_counters *counters)
{
#define READ(member, offset)                            \
    if (!read32(ring, (offset), &counters->member))     \
        return MIXDIT_BUS_ERROR;
    MIXDIT_BUS_COUNTERS(READ)
#undef READ
    return MIXDIT_OK;
}

const char *mixdit_ring_fault_text(enum mixdit_ring_status_fault fault)
{
    switch (fault) {
#define TEXT(code, text) \
    case code:           \
        return text;
        MIXDIT_RING_FAULTS(TEXT)
#undef TEXT
    }
    return "only a newer driver can name this fault";
}
