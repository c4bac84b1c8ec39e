/* One whole attention on bare metal: two lists of commands, and the softmax on the CPU in between.
 *
 * cc -std=c99 -ffreestanding -I hw/host/c -c examples/c/attention.c hw/host/c/mixdit*.c
 */
#include "attention.h"

#include "mixdit_pack.h"

#define FP16_BYTES 2u
#define FP32_BYTES 4u

/* The first list, in its order; the second is PRODUCT and OUTPUT. */
enum { QUERY, KEY, VALUE, CONVERT_KEY, CONVERT_VALUE, SCORES, FIRST_LIST };
enum { PRODUCT, OUTPUT, SECOND_LIST };

/* Packed tiles: where they are, and their stride. */
struct packed {
    struct place place;
    uint32_t stride, bytes;
};

/* All that one attention works with. */
struct work {
    const struct attention_shape *shape;
    struct mixdit_tiling tiling; /* of every B */
    uint32_t width;
    struct place tokens;
    struct packed weights[4], key, value;
};

/* Memory that is handed out from the front, until something does not fit. */
struct stock {
    const struct arena *arena;
    size_t used;
    bool is_short;
};

static struct place take_place(struct stock *stock, uint64_t bytes)
{
    const struct place place = {stock->arena->bytes + stock->used,
                                stock->arena->address + stock->used};

    if (bytes > UINT32_MAX || bytes + 63u > stock->arena->size - stock->used)
        stock->is_short = true; /* steps of descriptors have 32 bits */
    else
        stock->used += ((size_t)bytes + 63u) & ~(size_t)63u;
    return place;
}

static struct packed take_tiles(struct stock *stock, const struct work *work, uint32_t lines,
                                uint32_t k, uint32_t parts)
{
    const uint32_t mx9 = work->shape->is_mx9 ? mixdit_k_blocks(k) : 0u;
    const uint64_t bytes = mixdit_tiles_bytes(&work->tiling, lines, k, mx9);
    const uint64_t stride = mixdit_tile_stride(&work->tiling, k, mx9);

    return (struct packed){take_place(stock, bytes * parts), (uint32_t)stride, (uint32_t)bytes};
}

/* Numbers in the arena are little-endian, and reached byte by byte. */
static void put_pattern(uint8_t *to, uint32_t pattern)
{
    for (uint32_t byte = 0; byte < FP32_BYTES; byte++)
        to[byte] = (uint8_t)(pattern >> 8u * byte & 0xFFu);
}

static uint32_t get_pattern(const uint8_t *from)
{
    uint32_t pattern = 0u;

    for (uint32_t byte = 0; byte < FP32_BYTES; byte++)
        pattern |= (uint32_t)from[byte] << 8u * byte;
    return pattern;
}

union number {
    float value;
    uint32_t pattern;
    uint8_t bytes[FP32_BYTES];
};

static float get(const uint8_t *row, uint32_t column)
{
    const union number number = {.pattern = get_pattern(row + column * FP32_BYTES)};

    return number.value;
}

static void put(uint8_t *row, uint32_t column, float value)
{
    const union number number = {.value = value};

    put_pattern(row + column * FP32_BYTES, number.pattern);
}

/* e^x of an x that is not positive, within 2 units in the last place; 0 where FP32 has no normal
 * number for it. */
static float exponential(float x)
{
    union number power;
    float rest, sum;
    int32_t two;

    if (!(x > -87.0f))
        return x < 0.0f ? 0.0f : x; /* or a NaN */
    two = (int32_t)(x * 1.44269504f - 0.5f); /* rounds to nearest, since x is not positive */
    rest = x - (float)two * 0.693359375f;
    rest = rest + (float)two * 2.12194440e-4f; /* e^x = 2^two e^rest, |rest| <= ln(2) / 2 */
    sum = 1.9875691500e-4f;
    sum = sum * rest + 1.3981999507e-3f;
    sum = sum * rest + 8.3334519073e-3f;
    sum = sum * rest + 4.1665795894e-2f;
    sum = sum * rest + 1.6666665459e-1f;
    sum = sum * rest + 5.0000001201e-1f;
    sum = sum * (rest * rest) + rest + 1.0f;
    power.pattern = (uint32_t)(127 + two) << 23;
    return sum * power.value;
}

/* Turn a row of scores into probabilities, in place. */
static void softmax(uint8_t *row, uint32_t length, float scale)
{
    float largest = get(row, 0u) * scale, sum = 0.0f;

    for (uint32_t column = 1; column < length; column++) {
        const float score = get(row, column) * scale;

        largest = score > largest ? score : largest;
    }
    for (uint32_t column = 0; column < length; column++) {
        const float power = exponential(get(row, column) * scale - largest);

        put(row, column, power);
        sum += power;
    }
    for (uint32_t column = 0; column < length; column++)
        put(row, column, get(row, column) / sum);
}

/* A product of all tokens with one weight. */
static struct mixdit_command linear(const struct mixdit *machine, const struct work *work,
                                    uint64_t a, uint32_t a_format, const struct packed *b,
                                    uint64_t c, uint32_t output)
{
    return (struct mixdit_command){
        .operation = MIXDIT_OPERATION_JOB, .count_0 = 1u, .count_1 = 1u,
        .kind = MIXDIT_JOB_KIND_GEMM, .format = a_format, .output = output,
        .selection = MIXDIT_JOB_SELECTION_HEAD, .units = work->shape->is_mx9,
        .m = work->shape->tokens, .n = work->width, .k = work->width,
        .tiles = mixdit_resident_tiles(machine, work->shape->tokens, work->width),
        .a = a, .a_stride = work->width * (a_format == MIXDIT_JOB_FORMAT_FP32 ? 4u : 2u),
        .b = b->place.address, .b_stride = b->stride,
        .c = c, .c_stride = work->width * (output == MIXDIT_JOB_OUTPUT_FP32 ? 4u : 2u)};
}

/* Keys or values of every head as the B of its product; a head's are beside the next head's. */
static struct mixdit_command conversion(const struct work *work, uint32_t kind, uint32_t n,
                                        uint32_t k, uint64_t a, const struct packed *made)
{
    return (struct mixdit_command){
        .operation = MIXDIT_OPERATION_JOB, .count_0 = work->shape->heads, .count_1 = 1u,
        .kind = kind, .format = MIXDIT_JOB_FORMAT_FP16,
        .selection = MIXDIT_JOB_SELECTION_HEAD, .units = work->shape->is_mx9, .n = n, .k = k,
        .a = a, .a_stride = work->width * FP16_BYTES,
        .a_step_0 = work->shape->channels * FP16_BYTES,
        .c = made->place.address, .c_stride = made->stride, .c_step_0 = made->bytes};
}

/* Q * K^T of every head, to scores. */
static struct mixdit_command scores(const struct mixdit *machine, const struct work *work,
                                    const struct attention_places *places)
{
    const uint32_t tokens = work->shape->tokens;

    return (struct mixdit_command){
        .operation = MIXDIT_OPERATION_JOB, .count_0 = work->shape->heads, .count_1 = 1u,
        .interrupt = 1u, .kind = MIXDIT_JOB_KIND_GEMM, .format = MIXDIT_JOB_FORMAT_FP16,
        .output = MIXDIT_JOB_OUTPUT_FP32, .selection = MIXDIT_JOB_SELECTION_HEAD,
        .units = work->shape->is_mx9, .m = tokens, .n = tokens, .k = work->shape->channels,
        .tiles = mixdit_resident_tiles(machine, tokens, work->shape->channels),
        .a = places->q.address, .a_stride = work->width * FP16_BYTES,
        .a_step_0 = work->shape->channels * FP16_BYTES,
        .b = work->key.place.address, .b_stride = work->key.stride, .b_step_0 = work->key.bytes,
        .c = places->scores.address, .c_stride = tokens * FP32_BYTES,
        .c_step_0 = tokens * tokens * FP32_BYTES};
}

/* P * V of every head, side by side. */
static struct mixdit_command product(const struct mixdit *machine, const struct work *work,
                                     const struct attention_places *places)
{
    const uint32_t tokens = work->shape->tokens;

    return (struct mixdit_command){
        .operation = MIXDIT_OPERATION_JOB, .count_0 = work->shape->heads, .count_1 = 1u,
        .kind = MIXDIT_JOB_KIND_GEMM, .format = MIXDIT_JOB_FORMAT_FP32,
        .output = MIXDIT_JOB_OUTPUT_FP16, .selection = MIXDIT_JOB_SELECTION_HEAD,
        .units = work->shape->is_mx9, .m = tokens, .n = work->shape->channels, .k = tokens,
        .tiles = mixdit_resident_tiles(machine, tokens, tokens),
        .a = places->scores.address, .a_stride = tokens * FP32_BYTES,
        .a_step_0 = tokens * tokens * FP32_BYTES,
        .b = work->value.place.address, .b_stride = work->value.stride,
        .b_step_0 = work->value.bytes,
        .c = places->heads.address, .c_stride = work->width * FP16_BYTES,
        .c_step_0 = work->shape->channels * FP16_BYTES};
}

/* Lay all out in the arena, and fill in what the CPU has: the tokens, and the packed weights. */
static enum mixdit_result prepare(const struct mixdit *machine, struct work *work,
                                  const struct attention_input *input, struct stock *stock,
                                  struct attention_places *places)
{
    const uint32_t tokens = work->shape->tokens, width = work->width;
    const uint64_t numbers = (uint64_t)tokens * width;
    const enum mixdit_block_format format = work->shape->is_mx9 ? MIXDIT_MX9 : MIXDIT_MX6;
    const struct mixdit_precision precision = {format, format, NULL, NULL,
                                               machine->parameters.rounding};
    enum mixdit_result result = MIXDIT_OK;
    const uint8_t *from = (const uint8_t *)input->tokens;

    work->tokens = take_place(stock, numbers * FP32_BYTES);
    for (uint32_t index = 0; index < 4u; index++)
        work->weights[index] = take_tiles(stock, work, width, width, 1u);
    work->key = take_tiles(stock, work, tokens, work->shape->channels, work->shape->heads);
    work->value = take_tiles(stock, work, work->shape->channels, tokens, work->shape->heads);
    places->q = take_place(stock, numbers * FP16_BYTES);
    places->k = take_place(stock, numbers * FP16_BYTES);
    places->v = take_place(stock, numbers * FP16_BYTES);
    places->heads = take_place(stock, numbers * FP16_BYTES);
    places->scores = take_place(stock, (uint64_t)tokens * tokens * work->shape->heads * FP32_BYTES);
    places->out = take_place(stock, numbers * FP32_BYTES);
    if (stock->is_short)
        return MIXDIT_NO_SPACE;
    for (uint64_t index = 0; index < numbers; index++) {
        union number number;

        for (uint32_t byte = 0; byte < FP32_BYTES; byte++)
            number.bytes[byte] = from[index * FP32_BYTES + byte];
        put_pattern(work->tokens.bytes + index * FP32_BYTES, number.pattern);
    }
    for (uint32_t index = 0; result == MIXDIT_OK && index < 4u; index++) {
        const struct mixdit_matrix matrix = {input->weights[index], MIXDIT_JOB_FORMAT_FP32, width,
                                             width, (size_t)width * FP32_BYTES, false};

        result = mixdit_pack(&work->tiling, &matrix, &precision, work->weights[index].place.bytes,
                             work->weights[index].bytes, work->weights[index].stride);
    }
    return result;
}

/* Submit a list, and wait until all of it has ended. */
static enum mixdit_result run_list(struct mixdit_ring *ring, const struct mixdit_command *list,
                                   uint32_t count, uint32_t polls)
{
    const enum mixdit_result result = mixdit_ring_submit(ring, list, count, NULL);

    return result == MIXDIT_OK ? mixdit_ring_wait(ring, ring->tail, polls) : result;
}

/* Q, K, V and the scores; a command waits for those whose results it reads. */
static enum mixdit_result run_first(struct mixdit_ring *ring, const struct work *work,
                                    const struct attention_places *places, uint32_t polls)
{
    const struct mixdit *machine = &ring->machine;
    const uint32_t tokens = work->shape->tokens, channels = work->shape->channels;
    const uint64_t a = work->tokens.address;
    struct mixdit_command list[FIRST_LIST];

    list[QUERY] = linear(machine, work, a, MIXDIT_JOB_FORMAT_FP32, &work->weights[0],
                         places->q.address, MIXDIT_JOB_OUTPUT_FP16);
    list[KEY] = linear(machine, work, a, MIXDIT_JOB_FORMAT_FP32, &work->weights[1],
                       places->k.address, MIXDIT_JOB_OUTPUT_FP16);
    list[VALUE] = linear(machine, work, a, MIXDIT_JOB_FORMAT_FP32, &work->weights[2],
                         places->v.address, MIXDIT_JOB_OUTPUT_FP16);
    list[CONVERT_KEY] = conversion(work, MIXDIT_JOB_KIND_CONVERT, tokens, channels,
                                   places->k.address, &work->key);
    list[CONVERT_VALUE] = conversion(work, MIXDIT_JOB_KIND_CONVERT_TRANSPOSED, channels, tokens,
                                     places->v.address, &work->value);
    list[SCORES] = scores(machine, work, places);
    mixdit_fence(CONVERT_KEY, KEY, &list[CONVERT_KEY].wait_a);
    mixdit_fence(CONVERT_VALUE, VALUE, &list[CONVERT_VALUE].wait_a);
    mixdit_fence(SCORES, QUERY, &list[SCORES].wait_a);
    mixdit_fence(SCORES, CONVERT_KEY, &list[SCORES].wait_b);
    return run_list(ring, list, FIRST_LIST, polls);
}

static enum mixdit_result run_second(struct mixdit_ring *ring, const struct work *work,
                                     const struct attention_places *places, uint32_t polls)
{
    struct mixdit_command list[SECOND_LIST];

    list[PRODUCT] = product(&ring->machine, work, places);
    list[OUTPUT] = linear(&ring->machine, work, places->heads.address, MIXDIT_JOB_FORMAT_FP16,
                          &work->weights[3], places->out.address, MIXDIT_JOB_OUTPUT_FP32);
    mixdit_fence(OUTPUT, PRODUCT, &list[OUTPUT].wait_a);
    return run_list(ring, list, SECOND_LIST, polls);
}

enum mixdit_result run_attention(struct mixdit_ring *ring, const struct attention_shape *shape,
                                 const struct attention_input *input, const struct arena *arena,
                                 uint32_t polls, struct attention_places *places)
{
    const uint32_t width = shape->heads * shape->channels, rows = shape->heads * shape->tokens;
    const size_t row_bytes = (size_t)shape->tokens * FP32_BYTES;
    struct work work = {.shape = shape, .tiling = mixdit_weight_tiling(&ring->machine),
                        .width = width};
    struct stock stock = {arena, 0u, false};
    enum mixdit_result result = prepare(&ring->machine, &work, input, &stock, places);

    if (result != MIXDIT_OK)
        return result;
    mixdit_ring_give(ring, arena->bytes, stock.used); /* places of results, too */
    result = run_first(ring, &work, places, polls);
    if (result != MIXDIT_OK)
        return result;
    mixdit_ring_take(ring, places->scores.bytes, rows * row_bytes);
    for (uint32_t row = 0; row < rows; row++)
        softmax(places->scores.bytes + row * row_bytes, shape->tokens, shape->scale);
    mixdit_ring_give(ring, places->scores.bytes, rows * row_bytes);
    result = run_second(ring, &work, places, polls);
    if (result != MIXDIT_OK)
        return result;
    mixdit_ring_take(ring, places->out.bytes, (size_t)shape->tokens * width * FP32_BYTES);
    return MIXDIT_OK;
}
