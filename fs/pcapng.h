/* SPDX-License-Identifier: BSD-2-Clause */
/* pcapng.h - a trace as Wireshark and tshark read it. Pure. */
#ifndef SCFS_PCAPNG_H
#define SCFS_PCAPNG_H

#include <stddef.h>
#include <stdint.h>

#include "smcnt.h"

/* The beginning of a file: who writes, and what the packets are. */
#define SCFS_PCAPNG_BEGIN 48
void scfs_pcapng_begin(uint8_t out[SCFS_PCAPNG_BEGIN]);

/* Where a packet has been. */
struct scfs_pcapng_place {
    uint16_t bus;
    uint8_t device;
    uint64_t id;      /* the same for what was submitted and its completion */
    uint64_t time_us; /* since 1970 */
};

/* What stands in front of the packet's data, and behind: padding, and how many packets
 * before this one were lost. */
#define SCFS_PCAPNG_HEAD     92
#define SCFS_PCAPNG_TAIL_MAX 64
void scfs_pcapng_head(uint8_t out[SCFS_PCAPNG_HEAD],
                      const struct smc_trace_packet *packet,
                      const struct scfs_pcapng_place *place, uint32_t lost);
size_t scfs_pcapng_tail(uint8_t out[SCFS_PCAPNG_TAIL_MAX],
                        const struct smc_trace_packet *packet, uint32_t lost);

/* Of the whole block. */
size_t scfs_pcapng_size(const struct smc_trace_packet *packet, uint32_t lost);

#endif
