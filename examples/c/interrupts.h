/* Run jobs by interrupt; interrupts.c says how. */
#ifndef INTERRUPTS_H
#define INTERRUPTS_H

#include "mixdit.h"

/* How the platform sleeps: until irq is high, which it may be already. False if it stayed low for
 * longer than a job takes. irq is a level, so what the platform masks when it wakes, it unmasks
 * here. */
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
 * tells why job i was not taken. MIXDIT_TIMED_OUT if a sleep ended without irq, when only
 * outcome->ended jobs are done: abort the others. */
enum mixdit_result run_jobs(const struct mixdit *machine, const struct sleeper *sleeper,
                            const struct mixdit_job *jobs, uint32_t count,
                            enum mixdit_refusal *refusals, struct outcome *outcome);

#endif /* INTERRUPTS_H */
