/* Run jobs by interrupt: start them, sleep, and collect what has ended.
 *
 * cc -std=c99 -I hw/host/c examples/c/interrupts.c hw/host/c/mixdit.c and your platform's part
 */
#include "interrupts.h"

#define FAULTS                                                                             \
    (MIXDIT_IRQ_PENDING_ACT_LENGTH_MASK | MIXDIT_IRQ_PENDING_ACT_KEEP_MASK |               \
     MIXDIT_IRQ_PENDING_WEIGHT_LENGTH_MASK | MIXDIT_IRQ_PENDING_WEIGHT_KEEP_MASK)

/* Wake-ups in a row that bring nothing new, and after which the machine is given up. A job
 * that ends between the clear and the count leaves one behind it; so many mean that irq is stuck. */
#define MOST_IDLE_WAKE_UPS 16u

/* Take the events, and count the jobs that have ended since *seen jobs had.
 *
 * Read, clear, handle, in this order. The events only say that something happened, JOBS_ENDED says
 * how much. A job that ends before the clear is in the count, which is read after it, even if its
 * event was cleared unseen; so are two jobs that left one event. A job that ends after the clear
 * sets its event anew: irq stays up or rises again, and the next sleep returns at once. If the
 * count were read first, a job that ends between that and the clear would be in neither. */
static enum mixdit_result collect(const struct mixdit *machine, uint32_t *seen,
                                  struct outcome *outcome)
{
    uint32_t events, now;
    enum mixdit_result result = mixdit_take_events(machine, &events);

    if (result == MIXDIT_OK)
        result = mixdit_jobs_ended(machine, &now);
    if (result == MIXDIT_OK) {
        outcome->faults |= (events & FAULTS) >> MIXDIT_IRQ_PENDING_ACT_LENGTH_SHIFT;
        outcome->ended += now - *seen; /* right where the count has wrapped, too */
        *seen = now;
    }
    return result;
}

/* Start jobs until the machine is full or none is left. */
static enum mixdit_result fill(const struct mixdit *machine, const struct mixdit_job *jobs,
                               uint32_t count, uint32_t *next, enum mixdit_refusal *refusals,
                               struct outcome *outcome)
{
    enum mixdit_result result = MIXDIT_OK;

    while (result == MIXDIT_OK && *next < count &&
           *next - outcome->refused - outcome->ended < machine->parameters.job_slots) {
        result = mixdit_start(machine, &jobs[*next], &refusals[*next]);
        if (result == MIXDIT_REFUSED) { /* the others can still run */
            outcome->refused++;
            result = MIXDIT_OK;
        }
        ++*next;
    }
    return result;
}

/* Let the end of a job interrupt, and those faults that are not known yet. A known one need not: a
 * job of many broken packets would wake the host for each. */
static enum mixdit_result listen(const struct mixdit *machine, uint32_t faults)
{
    return mixdit_enable_events(
        machine, MIXDIT_IRQ_PENDING_ENDED_MASK |
                     (FAULTS & ~(faults << MIXDIT_IRQ_PENDING_ACT_LENGTH_SHIFT)));
}

enum mixdit_result run_jobs(const struct mixdit *machine, const struct sleeper *sleeper,
                            const struct mixdit_job *jobs, uint32_t count,
                            enum mixdit_refusal *refusals, struct outcome *outcome)
{
    uint32_t seen, old, next = 0, idle = 0;
    enum mixdit_result masked, result = mixdit_jobs_ended(machine, &seen);

    *outcome = (struct outcome){0u, 0u, 0u};
    if (result == MIXDIT_OK)
        result = mixdit_take_events(machine, &old); /* those of jobs before these */
    if (result == MIXDIT_OK)
        result = listen(machine, outcome->faults);
    while (result == MIXDIT_OK) {
        const struct outcome before = *outcome;

        result = fill(machine, jobs, count, &next, refusals, outcome);
        if (result != MIXDIT_OK || outcome->ended + outcome->refused == count)
            break;
        if (idle == MOST_IDLE_WAKE_UPS || !sleeper->sleep_until_irq(sleeper->context)) {
            result = MIXDIT_TIMED_OUT;
            break;
        }
        result = collect(machine, &seen, outcome);
        if (result == MIXDIT_OK && outcome->faults != before.faults)
            result = listen(machine, outcome->faults);
        idle = outcome->ended == before.ended && outcome->faults == before.faults ? idle + 1u : 0u;
    }
    masked = mixdit_enable_events(machine, 0u); /* whatever came: nobody listens any more */
    return result == MIXDIT_OK ? masked : result;
}
