#ifndef NETRING_BENCH_RING_H
#define NETRING_BENCH_RING_H

#include <linux/if_packet.h>
#include <stddef.h>
#include <stdint.h>

#include "reader.h"

// A TPACKET_V3 receive ring, as plain as it can be.
struct ring {
  int fd;
  uint8_t* memory;
  size_t block_size;
  unsigned block_count;
  unsigned timeout_ms;
  unsigned next;
  void (*frame)(const uint8_t* bytes, uint32_t length);
  // Called before a block goes back to the kernel; may be NULL.
  void (*block_end)(void);
};

void ring_open(struct ring* ring, const char* interface);

// What the ring is to a reader: three retire timeouts without a block and it is empty.
struct source ring_source(struct ring* ring);

// Reads frames until a command has come and what was sent before it is read.
enum command ring_run(struct ring* ring);

// Frames the kernel dropped since the last call.
uint64_t ring_drops(const struct ring* ring);

#endif
