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

#endif /* PIPE_H */
