/* Driver of the MixDiT accelerator's command ring (docs/commands.md), for machines with a bus.
 *
 * As mixdit.h: C99 and C++, freestanding, nothing is allocated, nothing is kept but what
 * `struct mixdit_ring` holds. A ring is one caller's at a time.
 *
 * The order of calls: open, set up, perhaps a window, enable; then submit and wait, over and over.
 */
#ifndef MIXDIT_RING_H
#define MIXDIT_RING_H

#include "mixdit_command.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How this host and the machine see the same memory. A hook that the platform does not need is
 * NULL; each is given the host's own pointers. */
struct mixdit_caches {
    /* Let the machine see what this host has written into these bytes. */
    void (*clean)(void *context, const void *start, size_t size);
    /* Let this host see what the machine has written into these bytes. */
    void (*invalidate)(void *context, void *start, size_t size);
    /* Let no access to memory or registers pass another, in either direction. */
    void (*barrier)(void *context);
    void *context;
};

/* A ring; mixdit_ring_open and mixdit_ring_set_up fill it. */
struct mixdit_ring {
    struct mixdit machine; /* its parameters, too */
    struct mixdit_caches caches;
    uint8_t *descriptors;
    uint32_t size; /* descriptors that there is room for */
    uint32_t tail; /* commands so far, modulo 2^32: the sequence number of the next */
};

/* What a ring is set up with. */
struct mixdit_ring_setup {
    void *descriptors;       /* room for 2^size_log2 descriptors, as this host sees it */
    uint64_t address;        /* of that room as the machine sees it: a multiple of 64 */
    uint32_t size_log2;
    uint64_t notify_address; /* for commands with NOTIFY: a multiple of 4 */
    uint32_t timeout;        /* cycles until a silent bus is a fault; 0: never */
    uint32_t attributes;     /* fields of MIXDIT_BUS_ATTRIBUTES; MIXDIT_BUS_ATTRIBUTES_RESET */
};

struct mixdit_ring_status {
    enum mixdit_ring_status_fault fault; /* why it stands still at the command `ended` */
    enum mixdit_refusal refusal;         /* where that is REFUSED; else NONE */
    uint32_t ended;                      /* commands that have, modulo 2^32 */
    bool is_idle;                        /* it stands still, and the bus is quiet */
    bool waits;                          /* for the word of a WAIT */
    bool is_silent;                      /* the bus has owed an answer for too long */
    bool is_locked;                      /* the window is */
};

/* What the bus has counted since reset, modulo 2^32: read_bursts, read_beats, ... */
struct mixdit_bus_counters {
#define MIXDIT_MEMBER(member, offset) uint32_t member;
    MIXDIT_BUS_COUNTERS(MIXDIT_MEMBER)
#undef MIXDIT_MEMBER
};

/* Check that a machine answers, that this driver is its driver, and that it has a ring. */
enum mixdit_result mixdit_ring_open(struct mixdit_ring *ring, const struct mixdit_bus *registers,
                                    const struct mixdit_caches *caches);

/* Tell the machine where its ring is, and forget commands that have not ended. MIXDIT_BUSY unless
 * the ring is disabled and idle, MIXDIT_BAD_RING if it is none; neither changes anything. The first
 * command's sequence number is ring->tail: 0 after a reset, else the count of those that ended. */
enum mixdit_result mixdit_ring_set_up(struct mixdit_ring *ring,
                                      const struct mixdit_ring_setup *setup);

/* Keep the machine's accesses from `first` to below `end`, multiples of 4096; after a reset there
 * is no such limit. Locked, this stays until a reset; MIXDIT_LOCKED where it has been. The ring
 * lies in the window, too. MIXDIT_BUSY unless the ring is disabled and idle. */
enum mixdit_result mixdit_ring_set_window(const struct mixdit_ring *ring, uint64_t first,
                                          uint64_t end);
enum mixdit_result mixdit_ring_lock_window(const struct mixdit_ring *ring);

/* Carry commands out; MIXDIT_BAD_RING before it has been set up. */
enum mixdit_result mixdit_ring_enable(const struct mixdit_ring *ring);

/* Drop what is under way, and look at most `polls` times whether the bus is quiet. Only when it is
 * (MIXDIT_OK), memory is this host's again. MIXDIT_TIMED_OUT: it is off, and may still write.
 * Commands that had not ended begin anew with mixdit_ring_enable, unless it is set up before. */
enum mixdit_result mixdit_ring_disable(const struct mixdit_ring *ring, uint32_t polls);

/* Count the commands that may be submitted now; MIXDIT_BAD_RING before it has been set up. */
enum mixdit_result mixdit_ring_room(const struct mixdit_ring *ring, uint32_t *room);

/* Submit commands, all of them or none: MIXDIT_FULL if they are more than there is room for,
 * MIXDIT_BAD_COMMAND if mixdit_command_pack refuses one. What they read has to be where the machine
 * sees it before: mixdit_ring_give. *first, unless NULL, is the sequence number of the first;
 * command i has ended when so many have: first + i + 1. MIXDIT_BUS_ERROR where the doorbell was
 * refused: none was taken. */
enum mixdit_result mixdit_ring_submit(struct mixdit_ring *ring,
                                      const struct mixdit_command *commands, uint32_t count,
                                      uint32_t *first);

/* Count the commands that have ended, modulo 2^32. */
enum mixdit_result mixdit_ring_ended(const struct mixdit_ring *ring, uint32_t *ended);

/* Wait until so many commands have ended, modulo 2^32 and less than 2^31 ahead; look at most
 * `polls` times. ring->tail waits for all. MIXDIT_STOPPED as soon as a fault is seen before that:
 * the ring may still be coming to rest. What commands wrote is fetched with mixdit_ring_take. */
enum mixdit_result mixdit_ring_wait(const struct mixdit_ring *ring, uint32_t ended, uint32_t polls);

/* Give bytes to the machine: what this host has written there is what it will read. A place for
 * results is given, too, if this host has written there: no cache may write that back later. */
void mixdit_ring_give(const struct mixdit_ring *ring, const void *start, size_t size);

/* Take bytes from the machine: what it has written there is what this host will read. They should
 * be whole cache lines, with nothing in them that this host has changed meanwhile. */
void mixdit_ring_take(const struct mixdit_ring *ring, void *start, size_t size);

/* Raise irq while one of these bits of MIXDIT_RING_IRQ_PENDING_..._MASK is set; 0 for none. */
enum mixdit_result mixdit_ring_enable_events(const struct mixdit_ring *ring, uint32_t events);

/* Take the events since the last call, and only then read what has ended: what comes in between
 * raises irq anew. */
enum mixdit_result mixdit_ring_take_events(const struct mixdit_ring *ring, uint32_t *events);

/* See what the ring is doing. */
enum mixdit_result mixdit_ring_status(const struct mixdit_ring *ring,
                                      struct mixdit_ring_status *status);

/* Try the command again at which the ring stands still, or count it as ended and go on behind it.
 * A faulty ring has to come to rest first: look at most `polls` times whether it has, and if not,
 * MIXDIT_TIMED_OUT. MIXDIT_NOT_STOPPED if there is no fault. Nothing was done in both. */
enum mixdit_result mixdit_ring_resume(const struct mixdit_ring *ring, uint32_t polls);
enum mixdit_result mixdit_ring_skip(const struct mixdit_ring *ring, uint32_t polls);

/* Read what the bus has counted. */
enum mixdit_result mixdit_ring_bus_counters(const struct mixdit_ring *ring,
                                            struct mixdit_bus_counters *counters);

/* Say why a ring stands still; mixdit_refusal_text says more about REFUSED. */
const char *mixdit_ring_fault_text(enum mixdit_ring_status_fault fault);

#ifdef __cplusplus
}
#endif

#endif /* MIXDIT_RING_H */
