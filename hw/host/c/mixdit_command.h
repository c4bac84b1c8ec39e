/* Commands of the MixDiT accelerator's ring: how they become descriptors, and wait for each other.
 *
 * A list is an array of `struct mixdit_command` (mixdit_descriptor.h), whose fields
 * docs/commands.md explains. What is left out of an initializer is 0; COUNT_0 and COUNT_1 are at
 * least 1.
 */
#ifndef MIXDIT_COMMAND_H
#define MIXDIT_COMMAND_H

#include "mixdit.h"
#include "mixdit_descriptor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Write a command's descriptor, MIXDIT_DESCRIPTOR_BYTES of them, as it lies in memory whatever this
 * host's byte order is. MIXDIT_BAD_COMMAND if there is no such operation, a value does not fit into
 * its bits, or a field is not 0 that the operation does not have; the bytes then hold anything. */
enum mixdit_result mixdit_command_pack(const struct mixdit_command *command, uint8_t *descriptor);

/* Choose WAIT_A, WAIT_B or WAIT_SIDE of a command that reads what an earlier one writes, both given
 * by their places in the list or by their sequence numbers. Commands end in their order, so one
 * that is further away than the field can say is covered by the furthest that it can.
 * MIXDIT_NOT_EARLIER if the other is no earlier one; *distance is then not changed. */
enum mixdit_result mixdit_fence(uint32_t command, uint32_t earlier, uint32_t *distance);

#ifdef __cplusplus
}
#endif

#endif /* MIXDIT_COMMAND_H */
