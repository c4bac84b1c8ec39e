/* Run jobs by interrupt; interrupts.c says how. */
#ifndef INTERRUPTS_H
#define INTERRUPTS_H

#include "mixdit.h"

/* How the platform sleeps: until irq is high, which it may be already. False if it stayed low for
 * longer than a job takes. irq is a level, so what the platform masks when it wakes, it unmasks
 * here. On a line that devices share, only this machine's irq counts. */
struct sleeper {
    bool (*sleep_until_irq)(void *context);
    void *context;
};

/* What became of the jobs. */
struct outcome {
    uint32_t ended;   /* ran to their end */
    uint32_t refused; /* were not taken */
    uint32_t faults;  /* of all of them: bits of MIXDIT_JOB_FAULTS_..._MASK */
};

/* Run `count` jobs on a machine that has none under way, as many at a time as it takes; refusals[i]
 * tells why job i was not taken. MIXDIT_TIMED_OUT if a sleep ended without irq, or if irq
 * woke the host sixteen times in a row for nothing, as a line that is stuck does: only
 * outcome->ended jobs are done then, abort the others. No event interrupts after the return, unless
 * the bus refused that, too. */
enum mixdit_result run_jobs(const struct mixdit *machine, const struct sleeper *sleeper,
                            const struct mixdit_job *jobs, uint32_t count,
                            enum mixdit_refusal *refusals, struct outcome *outcome);

#endif /* INTERRUPTS_H */
