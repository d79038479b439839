// The reference sender of an AF_XDP socket in copy mode, as fast as it goes.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common.h"
#include "xdp.h"

enum { FRAME_SIZE = 2048, FRAME_COUNT = 4096 };

static struct xdp xdp = {.frame_size = FRAME_SIZE, .frame_count = FRAME_COUNT};

// Addresses of the frames that are not with the kernel.
static struct {
  uint64_t addresses[FRAME_COUNT];
  uint32_t count;
} unused;

static void take_back(void) {
  uint32_t next = atomic_load_explicit(xdp.completion.consumer, memory_order_relaxed);
  const uint32_t end = ring_load(xdp.completion.producer);
  for (; next != end; next++) unused.addresses[unused.count++] = *ring_address(&xdp.completion, next);
  ring_store(xdp.completion.consumer, next);
}

// A call sends 32 frames at most, so it takes many until the kernel has taken all.
static void kick(void) {
  const uint32_t end = atomic_load_explicit(xdp.tx.producer, memory_order_relaxed);
  while (ring_load(xdp.tx.consumer) != end) {
    if (sendto(xdp.fd, NULL, 0, MSG_DONTWAIT, NULL, 0) == 0 || errno == EAGAIN) continue;
    // A full queue, or frames that are sent but not yet freed.
    if (errno != EBUSY && errno != ENOBUFS) die("sendto");
    take_back();
  }
}

static void send_frames(size_t length, uint64_t count, uint32_t batch, int sealed) {
  for (uint64_t sent = 0; sent < count;) {
    take_back();
    uint32_t size = count - sent < batch ? (uint32_t)(count - sent) : batch;
    if (size > unused.count) size = unused.count;
    const uint32_t first = atomic_load_explicit(xdp.tx.producer, memory_order_relaxed);
    for (uint32_t i = 0; i < size; i++) {
      const uint64_t address = unused.addresses[--unused.count];
      uint8_t* frame = xdp.memory + address;
      stamp_frame(frame, sent + i, now_ns());
      if (sealed) seal_frame(frame, length);
      *ring_descriptor(&xdp.tx, first + i) = (struct xdp_desc){.addr = address, .len = (uint32_t)length};
    }
    ring_store(xdp.tx.producer, first + size);
    kick();
    sent += size;
  }
  // Done when the last frame has come back.
  while (unused.count < FRAME_COUNT) take_back();
}

int main(int argc, char** argv) {
  if (argc < 5) usage("xdp_tx INTERFACE LENGTH COUNT BATCH [sealed]");
  const size_t length = number(argv[2], MIN_LENGTH, MAX_LENGTH);
  const uint64_t count = number(argv[3], 1, UINT64_MAX);
  const uint32_t batch = (uint32_t)number(argv[4], 1, FRAME_COUNT);
  const int sealed = argc > 5 && strcmp(argv[5], "sealed") == 0;
  xdp_open(&xdp, argv[1], XDP_SEND);
  for (; unused.count < FRAME_COUNT; unused.count++) {
    const uint64_t address = (uint64_t)unused.count * FRAME_SIZE;
    build_frame(xdp.memory + address, length);
    unused.addresses[unused.count] = address;
  }

  const uint64_t cpu = process_cpu_ns();
  const uint64_t begin = now_ns();
  send_frames(length, count, batch, sealed);
  const uint64_t wall = now_ns() - begin;
  printf("{\"sent\":%llu,\"wallNs\":%llu,\"cpuNs\":%llu}\n", (unsigned long long)count, (unsigned long long)wall,
         (unsigned long long)(process_cpu_ns() - cpu));
  return 0;
}
