// The reference reader of an AF_XDP socket: what rx3.c does, out of the frames that an XDP program redirects.
#include <stdio.h>
#include <string.h>

#include "common.h"
#include "reader.h"
#include "xdp.h"

// So many frames go back to the kernel at once.
enum { BATCH = 64, QUIET_MS = 30 };

static struct counts counts;
static uint64_t drops_before;

static void read_frames(void* ring) {
  const struct xdp* xdp = ring;
  const uint64_t frame_mask = ~(uint64_t)(xdp->frame_size - 1);
  uint32_t next = atomic_load_explicit(xdp->rx.consumer, memory_order_relaxed);
  uint32_t fill = atomic_load_explicit(xdp->fill.producer, memory_order_relaxed);
  for (;;) {
    uint32_t waiting = ring_load(xdp->rx.producer) - next;
    if (waiting == 0) return;
    if (waiting > BATCH) waiting = BATCH;
    for (const uint32_t end = next + waiting; next != end; next++, fill++) {
      const struct xdp_desc frame = *ring_descriptor(&xdp->rx, next);
      count_frame(&counts, xdp->memory + frame.addr, frame.len);
      *ring_address(&xdp->fill, fill) = frame.addr & frame_mask;
    }
    ring_store(xdp->rx.consumer, next);
    ring_store(xdp->fill.producer, fill);
  }
}

static uint64_t drops(void* ring) {
  const uint64_t before = drops_before;
  drops_before = xdp_drops(ring);
  return drops_before - before;
}

int main(int argc, char** argv) {
  if (argc != 5) usage("xdp_rx INTERFACE FRAME_SIZE FRAME_COUNT skb|drv");
  struct xdp xdp = {
      .frame_size = number(argv[2], 2048, 4096),
      .frame_count = (uint32_t)number(argv[3], 1, 1u << 20),
  };
  const int driver = strcmp(argv[4], "drv") == 0;
  if (!driver && strcmp(argv[4], "skb") != 0) usage("xdp_rx ... skb|drv");
  xdp_open(&xdp, argv[1], XDP_RECEIVE);
  xdp_attach(&xdp, argv[1], driver ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE);
  const struct source source = {
      .fd = xdp.fd,
      .quiet_ms = QUIET_MS,
      .ring = &xdp,
      .read = read_frames,
      .drops = drops,
  };
  serve(&source, &counts);
  return 0;
}
