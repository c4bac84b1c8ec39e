/* One whole attention through the command ring; attention.c says how. */
#ifndef ATTENTION_H
#define ATTENTION_H

#include "mixdit_ring.h"

struct attention_shape {
    uint32_t tokens;
    uint32_t heads;
    uint32_t channels; /* of a head */
    float scale;       /* of the scores: 1 / sqrt(channels) */
    bool is_mx9;       /* the precision of all blocks: MX9, or MX6 */
};

/* FP32 numbers in this host's byte order. With `width` of heads * channels: */
struct attention_input {
    const void *tokens;     /* rows of width numbers, one for each token */
    const void *weights[4]; /* of Q, K, V and the output: each width rows of width numbers */
};

/* Memory that this host and the machine share, for all that the attention needs. */
struct arena {
    uint8_t *bytes;   /* as this host sees it */
    uint64_t address; /* as the machine sees it: a multiple of 64 */
    size_t size;
};

/* Part of an arena. */
struct place {
    uint8_t *bytes;
    uint64_t address;
};

/* What the attention left in the arena, little-endian. */
struct attention_places {
    struct place q, k, v;  /* FP16, a row of width numbers for each token */
    struct place scores;   /* FP32, tokens x tokens for each head: after softmax */
    struct place heads;    /* FP16, as q */
    struct place out;      /* FP32, likewise: the result */
};

/* Run an attention on a ring that is enabled and has room for six commands. `polls` bounds each of
 * the two waits. MIXDIT_NO_SPACE if the arena is too small; else what the ring's driver gives. */
enum mixdit_result run_attention(struct mixdit_ring *ring, const struct attention_shape *shape,
                                 const struct attention_input *input, const struct arena *arena,
                                 uint32_t polls, struct attention_places *places);

#endif /* ATTENTION_H */
