/* The C driver as a process, for c_driver.py: calls come on stdin; register accesses, sleeps and
 * results go out on stdout. */
#include <string.h>

#include "interrupts.h"
#include "pipe.h"

/* In the order of CALLS in c_driver.py. */
enum call {
    OPEN, START, JOBS_ENDED, WAIT, CHECK, READ_COUNTERS, ABORT, RESUME, LOAD_ORDER, LOAD_TAGS,
    READ_MAXIMUM, RESIDENT_TILES, WEIGHT_PASSES, RESULT_TEXT, REFUSAL_TEXT, FAULT_TEXT, RUN_JOBS,
    OUTPUT_PENDING
};

enum { JOB_WORDS = 12, MOST_JOBS = 16 };

static bool sleep_until_irq(void *context)
{
    (void)context;
    send(SLEEP);
    return is_done();
}

static struct mixdit_job make_job(const uint32_t *words)
{
    return (struct mixdit_job){words[0], words[1], words[2], words[3], words[4], words[5],
                               words[6], words[7], words[8], words[9], words[10], words[11]};
}

static uint32_t run(const struct mixdit *machine, const uint32_t *words, uint32_t count)
{
    const struct sleeper sleeper = {sleep_until_irq, NULL};
    static struct mixdit_job jobs[MOST_JOBS];
    enum mixdit_refusal refusals[MOST_JOBS] = {MIXDIT_REFUSAL_NONE};
    struct outcome outcome;
    uint32_t result;

    for (uint32_t index = 0; index < count; index++)
        jobs[index] = make_job(words + index * JOB_WORDS);
    result = run_jobs(machine, &sleeper, jobs, count, refusals, &outcome);
    give(outcome.ended);
    give(outcome.refused);
    give(outcome.faults);
    for (uint32_t index = 0; index < count; index++)
        give(refusals[index]);
    return result;
}

static uint32_t handle(uint32_t call, const uint32_t *words, uint32_t count)
{
    static const struct mixdit_bus bus = {read32, write32, NULL};
    static struct mixdit machine;
    static uint16_t order[MOST_WORDS];
    static bool tags[MOST_WORDS];
    char memory[1 + MIXDIT_FAULT_TEXT_SIZE + 1]; /* a text, and what must not be written */
    struct mixdit_counters counters = {0};
    enum mixdit_refusal refusal = MIXDIT_REFUSAL_NONE;
    struct mixdit_job job;
    bool is_pending = false;
    uint32_t result;

    switch ((enum call)call) {
    case OPEN:
        machine = (struct mixdit){0};
        result = mixdit_open(&machine, &bus);
#define GIVE(member, offset) give(machine.parameters.member);
        MIXDIT_PARAMETERS(GIVE)
#undef GIVE
        return result;
    case START:
        job = make_job(words);
        result = mixdit_start(&machine, &job, &refusal);
        give(refusal);
        return result;
    case JOBS_ENDED:
        return mixdit_jobs_ended(&machine, &values[value_count++]);
    case WAIT:
        return mixdit_wait(&machine, words[0], words[1]);
    case CHECK:
        return mixdit_check(&machine, &values[value_count++]);
    case READ_COUNTERS:
        result = mixdit_read_counters(&machine, &counters);
#define GIVE(member, offset)                   \
    give((uint32_t)counters.member);           \
    give((uint32_t)(counters.member >> 32));
        MIXDIT_COUNTERS(GIVE)
#undef GIVE
        return result;
    case ABORT:
        return mixdit_abort(&machine);
    case RESUME:
        return mixdit_resume(&machine);
    case LOAD_ORDER:
        for (uint32_t place = 0; place + 1u < count; place++)
            order[place] = (uint16_t)words[place + 1u];
        return mixdit_load_order(&machine, words[0], order, count - 1u);
    case LOAD_TAGS:
        for (uint32_t block = 0; block + 1u < count; block++)
            tags[block] = words[block + 1u] != 0u;
        return mixdit_load_tags(&machine, words[0], tags, count - 1u);
    case READ_MAXIMUM:
        return mixdit_read_maximum(&machine, (uint16_t)words[0], &values[value_count++]);
    case RESIDENT_TILES:
        return mixdit_resident_tiles(&machine, words[0], words[1]);
    case WEIGHT_PASSES:
        job = make_job(words);
        return mixdit_weight_passes(&machine, &job);
    case RESULT_TEXT:
        give_text(mixdit_result_text((enum mixdit_result)words[0]));
        return 0u;
    case REFUSAL_TEXT:
        give_text(mixdit_refusal_text((enum mixdit_refusal)words[0]));
        return 0u;
    case FAULT_TEXT:
        memset(memory, '#', sizeof memory);
        result = (uint32_t)mixdit_fault_text(words[0], memory + 1, words[1]);
        for (size_t index = 0; index < sizeof memory; index++)
            give((unsigned char)memory[index]);
        return result;
    case OUTPUT_PENDING:
        result = mixdit_output_pending(&machine, &is_pending);
        give(is_pending);
        return result;
    case RUN_JOBS:
        return run(&machine, words, count / JOB_WORDS);
    }
    exit(EXIT_FAILURE);
}

int main(void)
{
    serve(handle);
}
