/* A user of the machine under a little-endian Linux, as a sketch: registers and interrupt by UIO,
 * memory by a device that gives contiguous memory with its address on the bus, such as u-dma-buf.
 *
 *   uio /dev/uio0 /dev/udmabuf0 ADDRESS
 *
 * ADDRESS, in hexadecimal, is what /sys/class/u-dma-buf/udmabuf0/phys_addr says; 64 KiB are used.
 * The memory is opened with O_SYNC, and so not cached: the machine sees what this program writes,
 * and a barrier is all that is left to do. One GEMM of ones, 8 x 16 times 16 x 8, runs; its end is
 * waited for by interrupt, and its first result printed, which is 16.
 */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mixdit_pack.h"
#include "mixdit_ring.h"

enum {
    REGISTER_BYTES = 0x1000, MEMORY_BYTES = 0x10000, /* of the two devices */
    RING = 0, NOTIFY = 0x800, A = 0x1000, C = 0x2000, B = 0x3000, /* places in the memory */
    ROWS = 8, K = 16, COLUMNS = 8,
    MILLISECONDS = 5000, POLLS = 1000
};

/* What this program has opened. */
struct platform {
    int uio;
    volatile uint32_t *registers;
    uint8_t *memory;
    uint64_t address; /* of the memory, as the machine sees it */
};

/* A bus that answers with an error ends the program by SIGBUS, so these have none to tell. */
static bool read32(void *context, uint32_t address, uint32_t *value)
{
    *value = ((struct platform *)context)->registers[address / sizeof(uint32_t)];
    return true;
}

static bool write32(void *context, uint32_t address, uint32_t value)
{
    ((struct platform *)context)->registers[address / sizeof(uint32_t)] = value;
    return true;
}

static void barrier(void *context)
{
    (void)context;
    __sync_synchronize();
}

/* Map a device from its beginning; NULL, with errno, if that fails. */
static void *map(int device, size_t bytes)
{
    void *const start = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, device, 0);

    return start == MAP_FAILED ? NULL : start;
}

/* Find the machine, and give it its ring; it touches nothing but the memory. */
static enum mixdit_result start(struct mixdit_ring *ring, struct platform *platform)
{
    const struct mixdit_bus bus = {read32, write32, platform};
    const struct mixdit_caches caches = {NULL, NULL, barrier, NULL};
    const struct mixdit_ring_setup setup = {
        .descriptors = platform->memory + RING, .address = platform->address + RING,
        .size_log2 = 2u, .notify_address = platform->address + NOTIFY, .attributes = 0x0303u};
    enum mixdit_result result = mixdit_ring_open(ring, &bus, &caches);

    if (result == MIXDIT_OK)
        result = mixdit_ring_disable(ring, POLLS); /* whatever another program left */
    if (result == MIXDIT_OK)
        result = mixdit_ring_set_up(ring, &setup);
    if (result == MIXDIT_OK)
        result = mixdit_ring_set_window(ring, platform->address, platform->address + MEMORY_BYTES);
    if (result == MIXDIT_OK)
        result = mixdit_ring_enable_events(ring, MIXDIT_RING_IRQ_PENDING_MARKED_MASK |
                                                     MIXDIT_RING_IRQ_PENDING_STOPPED_MASK);
    return result == MIXDIT_OK ? mixdit_ring_enable(ring) : result;
}

/* Place A, pack B, and submit C = A B. */
static enum mixdit_result submit(struct mixdit_ring *ring, const struct platform *platform)
{
    float ones[K * COLUMNS];
    const struct mixdit_tiling tiling = mixdit_weight_tiling(&ring->machine);
    const uint64_t stride = mixdit_tile_stride(&tiling, K, 0u);
    const struct mixdit_matrix weights = {ones, MIXDIT_JOB_FORMAT_FP32, COLUMNS, K,
                                          COLUMNS * sizeof(float), false};
    const struct mixdit_precision mx6 = {MIXDIT_MX6, MIXDIT_MX6, NULL, NULL,
                                         ring->machine.parameters.rounding};
    const struct mixdit_command gemm = {
        .operation = MIXDIT_OPERATION_JOB, .interrupt = 1u, .count_0 = 1u, .count_1 = 1u,
        .kind = MIXDIT_JOB_KIND_GEMM, .format = MIXDIT_JOB_FORMAT_FP32,
        .output = MIXDIT_JOB_OUTPUT_FP32, .selection = MIXDIT_JOB_SELECTION_HEAD,
        .m = ROWS, .n = COLUMNS, .k = K, .tiles = mixdit_resident_tiles(&ring->machine, ROWS, K),
        .a = platform->address + A, .a_stride = K * sizeof(float),
        .b = platform->address + B, .b_stride = (uint32_t)stride,
        .c = platform->address + C, .c_stride = COLUMNS * sizeof(float)};
    enum mixdit_result result;

    for (size_t place = 0; place < sizeof ones / sizeof *ones; place++)
        ones[place] = 1.0f;
    memcpy(platform->memory + A, ones, sizeof(float[ROWS * K]));
    result = mixdit_pack(&tiling, &weights, &mx6, platform->memory + B, MEMORY_BYTES - B,
                         (size_t)stride);
    return result == MIXDIT_OK ? mixdit_ring_submit(ring, &gemm, 1u, NULL) : result;
}

/* Sleep until irq rises: a 1 that is written lets it through, UIO masks it again when it comes. */
static bool sleep_until_irq(const struct platform *platform)
{
    const uint32_t on = 1u;
    uint32_t count;
    struct pollfd line = {.fd = platform->uio, .events = POLLIN};
    int came;

    if (write(platform->uio, &on, sizeof on) != (ssize_t)sizeof on)
        return false;
    do
        came = poll(&line, 1, MILLISECONDS);
    while (came < 0 && errno == EINTR);
    return came == 1 && read(platform->uio, &count, sizeof count) == (ssize_t)sizeof count;
}

static int complain(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    return EXIT_FAILURE;
}

int main(int count, char **arguments)
{
    struct platform platform;
    struct mixdit_ring ring;
    enum mixdit_result result;
    uint32_t events;
    int memory;
    float first;

    if (count != 4)
        return complain("usage", "uio UIO-DEVICE MEMORY-DEVICE ADDRESS");
    platform.uio = open(arguments[1], O_RDWR);
    memory = open(arguments[2], O_RDWR | O_SYNC);
    if (platform.uio < 0 || memory < 0)
        return complain(arguments[platform.uio < 0 ? 1 : 2], strerror(errno));
    platform.registers = map(platform.uio, REGISTER_BYTES);
    platform.memory = map(memory, MEMORY_BYTES);
    if (!platform.registers || !platform.memory)
        return complain("mmap", strerror(errno));
    platform.address = strtoull(arguments[3], NULL, 16);

    result = start(&ring, &platform);
    if (result == MIXDIT_OK)
        result = submit(&ring, &platform);
    if (result != MIXDIT_OK)
        return complain("the machine", mixdit_result_text(result));
    if (!sleep_until_irq(&platform))
        return complain("the machine", "no interrupt");
    result = mixdit_ring_take_events(&ring, &events);
    if (result == MIXDIT_OK)
        result = mixdit_ring_wait(&ring, ring.tail, 1u);
    if (result != MIXDIT_OK)
        return complain("the machine", mixdit_result_text(result));
    mixdit_ring_take(&ring, platform.memory + C, sizeof(float[ROWS * COLUMNS]));
    memcpy(&first, platform.memory + C, sizeof first);
    printf("%g\n", (double)first);
    return mixdit_ring_disable(&ring, POLLS) == MIXDIT_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
