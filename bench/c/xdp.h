#ifndef NETRING_BENCH_XDP_H
#define NETRING_BENCH_XDP_H

#include <linux/if_link.h>
#include <linux/if_xdp.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

// One of the four rings, shared with the kernel: one side moves the producer, the other the consumer.
struct xdp_ring {
  _Atomic uint32_t* producer;
  _Atomic uint32_t* consumer;
  // uint64_t in the fill and completion rings, struct xdp_desc in the others.
  void* entries;
  uint32_t mask;
};

// An AF_XDP socket on queue 0 of an interface in copy mode, as plain as it can be.
struct xdp {
  int fd;
  size_t frame_size;
  uint32_t frame_count;
  uint8_t* memory;
  struct xdp_ring fill, completion, rx, tx;
};

enum xdp_direction { XDP_RECEIVE, XDP_SEND };

// All frames are the kernel's to fill, or all are to be sent.
void xdp_open(struct xdp* xdp, const char* interface, enum xdp_direction direction);

// Attaches a program that redirects every frame of the queue to the socket, until this process ends. `mode` is
// XDP_FLAGS_SKB_MODE or XDP_FLAGS_DRV_MODE.
void xdp_attach(const struct xdp* xdp, const char* interface, uint32_t mode);

// Frames the kernel dropped since the socket was opened, for want of a frame or of room in the ring.
uint64_t xdp_drops(const struct xdp* xdp);

static inline uint32_t ring_load(_Atomic uint32_t* index) { return atomic_load_explicit(index, memory_order_acquire); }

static inline void ring_store(_Atomic uint32_t* index, uint32_t value) {
  atomic_store_explicit(index, value, memory_order_release);
}

static inline uint64_t* ring_address(const struct xdp_ring* ring, uint32_t index) {
  return (uint64_t*)ring->entries + (index & ring->mask);
}

static inline struct xdp_desc* ring_descriptor(const struct xdp_ring* ring, uint32_t index) {
  return (struct xdp_desc*)ring->entries + (index & ring->mask);
}

#endif
