/* Driver of the MixDiT accelerator: registers only; the streams are a DMA's business.
 *
 * C99, freestanding, also for C++: no memory is allocated, nothing is printed, nothing is kept but
 * what `struct mixdit` holds. Streams carry what docs/interfaces.md says, little-endian on every
 * host; they may be offered at any time, and wait until their job has started.
 */
#ifndef MIXDIT_H
#define MIXDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mixdit_registers.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How registers are reached. Addresses are offsets in bytes from the machine's base, values are
 * numbers: a big-endian host that sees the machine's little-endian words turns them round here.
 * Both return false if the bus answered with an error. */
struct mixdit_bus {
    bool (*read32)(void *context, uint32_t address, uint32_t *value);
    bool (*write32)(void *context, uint32_t address, uint32_t value);
    void *context;
};

enum mixdit_result {
    MIXDIT_OK = 0,
    MIXDIT_BUS_ERROR,     /* a register access was refused */
    MIXDIT_NO_MACHINE,    /* ID reads something else */
    MIXDIT_OTHER_VERSION, /* the register map's major version is not this driver's */
    MIXDIT_REFUSED,       /* the job was not taken; the refusal says why */
    MIXDIT_FAULTED,       /* packets did not fit; the faults say how */
    MIXDIT_TIMED_OUT,     /* what was waited for had not come after so many polls */
    MIXDIT_BAD_ORDER,     /* a channel is missing, or there are more than K_MAX */
    MIXDIT_BAD_TABLE,     /* there is no such table, or the machine's K_MAX is too small for it */
    /* Of mixdit_command.h and mixdit_ring.h: */
    MIXDIT_NO_RING,       /* the machine has streams, and no bus */
    MIXDIT_BAD_COMMAND,   /* a field is too large, or the operation does not have it */
    MIXDIT_NOT_EARLIER,   /* what a command waits for does not come before it */
    MIXDIT_BAD_RING,      /* its place, its size or a setting is none that the machine takes */
    MIXDIT_BAD_WINDOW,    /* it is empty, or not of whole pages */
    MIXDIT_LOCKED,        /* the window stays what it is until a reset */
    MIXDIT_BUSY,          /* the ring is on, or not quiet yet */
    MIXDIT_FULL,          /* the ring has no room for so many commands: none was taken */
    MIXDIT_STOPPED,       /* the ring stands still at a faulty command; its status says why */
    MIXDIT_NOT_STOPPED,   /* the ring does not stand still at a command */
    /* Of mixdit_tiles.h and mixdit_pack.h: */
    MIXDIT_BAD_MATRIX,    /* it has no numbers, or its rows are longer than their stride */
    MIXDIT_BAD_PRECISION, /* there is no such block format, or rounding */
    MIXDIT_BAD_STRIDE,    /* it is no multiple of 64, or shorter than a packed tile */
    MIXDIT_NO_SPACE       /* the packed tiles are longer than their place */
};

/* Build parameters, one member for each register: rows, cols, k_max, ... */
struct mixdit_parameters {
#define MIXDIT_MEMBER(member, offset) uint32_t member;
    MIXDIT_PARAMETERS(MIXDIT_MEMBER)
#undef MIXDIT_MEMBER
};

/* What a job counted, one member for each counter: cycles, beats, ... */
struct mixdit_counters {
#define MIXDIT_MEMBER(member, offset) uint64_t member;
    MIXDIT_COUNTERS(MIXDIT_MEMBER)
#undef MIXDIT_MEMBER
};

/* A machine; mixdit_open fills it. */
struct mixdit {
    struct mixdit_bus bus;
    struct mixdit_parameters parameters;
};

/* A job, in the order of its registers, which docs/registers.md explains. */
struct mixdit_job {
    uint32_t kind; /* enum mixdit_job_kind */
    uint32_t m, n, k;
    uint32_t tiles;     /* see mixdit_resident_tiles */
    uint32_t format;    /* enum mixdit_job_format */
    uint32_t output;    /* enum mixdit_job_output */
    uint32_t flags;     /* of MIXDIT_JOB_FLAGS_..._MASK */
    uint32_t table;     /* for reordering and static selection */
    uint32_t selection; /* enum mixdit_job_selection */
    uint32_t units;
    uint32_t threshold;
};

/* Check that a machine answers, and read its build parameters. */
enum mixdit_result mixdit_open(struct mixdit *machine, const struct mixdit_bus *bus);

/* Start a job, or learn in *refusal why the machine does not take it. */
enum mixdit_result mixdit_start(const struct mixdit *machine, const struct mixdit_job *job,
                                enum mixdit_refusal *refusal);

/* Count the jobs that have ended since reset, modulo 2^32. */
enum mixdit_result mixdit_jobs_ended(const struct mixdit *machine, uint32_t *ended);

/* Wait until so many jobs have ended since reset, modulo 2^32 and less than 2^31 jobs ahead; look
 * at most `polls` times. It spins: to sleep between two looks, ask for one at a time, or let the
 * machine interrupt. */
enum mixdit_result mixdit_wait(const struct mixdit *machine, uint32_t ended, uint32_t polls);

/* Take the stream faults since the last call: MIXDIT_FAULTED if there were any. *faults has bits
 * of MIXDIT_JOB_FAULTS_..._MASK. */
enum mixdit_result mixdit_check(const struct mixdit *machine, uint32_t *faults);

/* Raise irq while one of these bits of MIXDIT_IRQ_PENDING_..._MASK is set; 0 for none. */
enum mixdit_result mixdit_enable_events(const struct mixdit *machine, uint32_t events);

/* Take the events since the last call: bits of MIXDIT_IRQ_PENDING_..._MASK, among them the faults
 * that mixdit_check would take. Act on them only afterwards, as examples/c/interrupts.c does. */
enum mixdit_result mixdit_take_events(const struct mixdit *machine, uint32_t *events);

/* Read the counters of the job that ended last, before another one ends. */
enum mixdit_result mixdit_read_counters(const struct mixdit *machine,
                                        struct mixdit_counters *counters);

/* Drop every job under way. The machine then swallows its input until mixdit_resume, which belongs
 * after the last packet of a dropped job, and after the last result has been taken. */
enum mixdit_result mixdit_abort(const struct mixdit *machine);
/* Tell whether a result waits to be taken, or its packet has not ended. */
enum mixdit_result mixdit_output_pending(const struct mixdit *machine, bool *is_pending);
enum mixdit_result mixdit_resume(const struct mixdit *machine);

/* Load an order: order[place] is the channel that comes to that place. MIXDIT_BUS_ERROR if a job
 * under way uses the table. A job which reorders must have as many channels, or it is refused. */
enum mixdit_result mixdit_load_order(const struct mixdit *machine, uint32_t table,
                                     const uint16_t *order, uint32_t channels);

/* Load static tags, one for each K-block of the jobs that use them, in the new order. Errors as
 * above. */
enum mixdit_result mixdit_load_tags(const struct mixdit *machine, uint32_t table,
                                    const bool *is_mx9, uint32_t k_blocks);

/* Read a channel's largest magnitude in the last job that measured, an FP32 pattern. */
enum mixdit_result mixdit_read_maximum(const struct mixdit *machine, uint16_t channel,
                                       uint32_t *pattern);

/* Tell whether an order names each of so many channels once. */
bool mixdit_is_order(const uint16_t *order, uint32_t channels);

/* Choose how many token tiles stay on chip while B streams by once. */
uint32_t mixdit_resident_tiles(const struct mixdit *machine, uint32_t m, uint32_t k);

/* Count how often all of B has to stream by. */
uint32_t mixdit_weight_passes(const struct mixdit *machine, const struct mixdit_job *job);

/* Say what is wrong. The text of a refusal says what must hold. */
const char *mixdit_result_text(enum mixdit_result result);
const char *mixdit_refusal_text(enum mixdit_refusal refusal);

/* Name all faults that are set, into `size` bytes; unknown ones by their bits. Like snprintf it
 * cuts what does not fit, ends with '\0' (unless size is 0), and returns the length of the whole
 * text. MIXDIT_FAULT_TEXT_SIZE bytes hold any. */
#define MIXDIT_FAULT_TEXT_SIZE 256u
size_t mixdit_fault_text(uint32_t faults, char *text, size_t size);

#ifdef __cplusplus
}
#endif

#endif /* MIXDIT_H */
