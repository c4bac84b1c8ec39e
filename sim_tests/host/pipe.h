/* A process between two pipes: what a call needs goes out on stdout, answers come on stdin. All of
 * it is 32-bit words, little-endian like those of the machine's bus, whatever this host is. */
#ifndef PIPE_H
#define PIPE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* In the order of Message in c_driver.py. */
enum message { READ, WRITE, SLEEP, RESULT, CLEAN, INVALIDATE, BARRIER };

static inline void send(uint32_t word)
{
    for (int shift = 0; shift < 32; shift += 8)
        putchar((int)(word >> shift & 0xFFu));
}

static inline uint32_t receive(void)
{
    uint32_t word = 0;

    for (int shift = 0; shift < 32; shift += 8) {
        int byte = getchar();

        if (byte == EOF)
            exit(EXIT_SUCCESS); /* nobody calls any more */
        word |= (uint32_t)byte << shift;
    }
    return word;
}

static inline bool is_done(void)
{
    fflush(stdout);
    return receive() != 0u;
}

static inline bool read32(void *context, uint32_t address, uint32_t *value)
{
    (void)context;
    send(READ);
    send(address);
    if (!is_done())
        return false;
    *value = receive();
    return true;
}

static inline bool write32(void *context, uint32_t address, uint32_t value)
{
    (void)context;
    send(WRITE);
    send(address);
    send(value);
    return is_done();
}

enum { MOST_WORDS = 1 << 16 };

/* What a call gives beside its result. */
static uint32_t values[MOST_WORDS];
static uint32_t value_count;

static inline void give(uint32_t value)
{
    values[value_count++] = value;
}

static inline void give_text(const char *text)
{
    for (; *text != '\0'; text++)
        give((unsigned char)*text);
}

/* Answer calls for as long as there are any. */
static inline void serve(uint32_t (*handle)(uint32_t call, const uint32_t *words, uint32_t count))
{
    static uint32_t words[MOST_WORDS];

    for (;;) {
        uint32_t call = receive(), count = receive(), result;

        for (uint32_t index = 0; index < count; index++)
            words[index] = receive();
        value_count = 0;
        result = handle(call, words, count);
        send(RESULT);
        send(result);
        send(value_count);
        for (uint32_t index = 0; index < value_count; index++)
            send(values[index]);
        fflush(stdout);
    }
}

#endif /* PIPE_H */
