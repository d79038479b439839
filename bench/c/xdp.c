#include "xdp.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "common.h"

// The kernel gives the queue of a closed socket back a little later.
enum { BIND_TRIES = 500, BIND_PAUSE_NS = 2000000 };

static struct xdp_ring map_ring(const struct xdp* xdp, int option, uint32_t size, size_t entry,
                                const struct xdp_ring_offset* at, off_t page) {
  if (setsockopt(xdp->fd, SOL_XDP, option, &size, sizeof size) != 0) die("setsockopt of a ring");
  uint8_t* memory =
      mmap(NULL, at->desc + size * entry, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, xdp->fd, page);
  if (memory == MAP_FAILED) die("mmap of a ring");
  return (struct xdp_ring){
      .producer = (void*)(memory + at->producer),
      .consumer = (void*)(memory + at->consumer),
      .entries = memory + at->desc,
      .mask = size - 1,
  };
}

static void register_memory(struct xdp* xdp) {
  const size_t size = xdp->frame_size * xdp->frame_count;
  xdp->memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (xdp->memory == MAP_FAILED) die("mmap of the frames");
  const struct xdp_umem_reg memory = {
      .addr = (uintptr_t)xdp->memory,
      .len = size,
      .chunk_size = (uint32_t)xdp->frame_size,
  };
  if (setsockopt(xdp->fd, SOL_XDP, XDP_UMEM_REG, &memory, sizeof memory) != 0) die("XDP_UMEM_REG");
}

static void bind_queue(const struct xdp* xdp, const char* interface) {
  const struct sockaddr_xdp address = {
      .sxdp_family = AF_XDP,
      .sxdp_flags = XDP_COPY,
      .sxdp_ifindex = (uint32_t)interface_index(interface),
  };
  const struct timespec pause = {.tv_nsec = BIND_PAUSE_NS};
  for (int left = BIND_TRIES; bind(xdp->fd, (const struct sockaddr*)&address, sizeof address) != 0; left--) {
    if (errno != EBUSY || left == 0) die("bind");
    nanosleep(&pause, NULL);
  }
}

void xdp_open(struct xdp* xdp, const char* interface, enum xdp_direction direction) {
  xdp->fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
  if (xdp->fd < 0) die("socket");
  register_memory(xdp);
  struct xdp_mmap_offsets at;
  socklen_t length = sizeof at;
  if (getsockopt(xdp->fd, SOL_XDP, XDP_MMAP_OFFSETS, &at, &length) != 0) die("XDP_MMAP_OFFSETS");
  // The rings of the direction hold all frames, so neither side ever waits for room in them. The kernel wants the fill
  // and the completion ring in any case.
  const uint32_t count = xdp->frame_count;
  const int receives = direction == XDP_RECEIVE;
  xdp->fill = map_ring(xdp, XDP_UMEM_FILL_RING, receives ? count : 1, sizeof(uint64_t), &at.fr,
                       (off_t)XDP_UMEM_PGOFF_FILL_RING);
  xdp->completion = map_ring(xdp, XDP_UMEM_COMPLETION_RING, receives ? 1 : count, sizeof(uint64_t), &at.cr,
                             (off_t)XDP_UMEM_PGOFF_COMPLETION_RING);
  if (receives) {
    xdp->rx = map_ring(xdp, XDP_RX_RING, count, sizeof(struct xdp_desc), &at.rx, XDP_PGOFF_RX_RING);
    for (uint32_t i = 0; i < count; i++) *ring_address(&xdp->fill, i) = i * xdp->frame_size;
    ring_store(xdp->fill.producer, count);
  } else {
    xdp->tx = map_ring(xdp, XDP_TX_RING, count, sizeof(struct xdp_desc), &at.tx, (off_t)XDP_PGOFF_TX_RING);
  }
  bind_queue(xdp, interface);
}

static int bpf(enum bpf_cmd command, union bpf_attr* attributes, const char* step) {
  const long result = syscall(SYS_bpf, command, attributes, sizeof *attributes);
  if (result < 0) die(step);
  return (int)result;
}

// A map of the sockets that frames may be redirected to; the socket stands at its queue, 0.
static int create_map(const struct xdp* xdp) {
  union bpf_attr attributes;
  memset(&attributes, 0, sizeof attributes);
  attributes.map_type = BPF_MAP_TYPE_XSKMAP;
  attributes.key_size = sizeof(uint32_t);
  attributes.value_size = sizeof(uint32_t);
  attributes.max_entries = 1;
  const int map = bpf(BPF_MAP_CREATE, &attributes, "BPF_MAP_CREATE");
  const uint32_t queue = 0;
  const uint32_t socket = (uint32_t)xdp->fd;
  memset(&attributes, 0, sizeof attributes);
  attributes.map_fd = (uint32_t)map;
  attributes.key = (uintptr_t)&queue;
  attributes.value = (uintptr_t)&socket;
  bpf(BPF_MAP_UPDATE_ELEM, &attributes, "BPF_MAP_UPDATE_ELEM");
  return map;
}

// return bpf_redirect_map(&map, ctx->rx_queue_index, XDP_PASS), as libxdp's own program does.
static int load_program(int map) {
  const struct bpf_insn program[] = {
      {.code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = 2, .src_reg = 1, .off = offsetof(struct xdp_md, rx_queue_index)},
      {.code = BPF_LD | BPF_IMM | BPF_DW, .dst_reg = 1, .src_reg = BPF_PSEUDO_MAP_FD, .imm = map},
      {.code = 0},
      {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 3, .imm = XDP_PASS},
      {.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_redirect_map},
      {.code = BPF_JMP | BPF_EXIT},
  };
  union bpf_attr attributes;
  memset(&attributes, 0, sizeof attributes);
  attributes.prog_type = BPF_PROG_TYPE_XDP;
  attributes.insns = (uintptr_t)program;
  attributes.insn_cnt = sizeof program / sizeof *program;
  attributes.license = (uintptr_t) "Dual MIT/GPL";
  return bpf(BPF_PROG_LOAD, &attributes, "BPF_PROG_LOAD");
}

void xdp_attach(const struct xdp* xdp, const char* interface, uint32_t mode) {
  union bpf_attr attributes;
  memset(&attributes, 0, sizeof attributes);
  attributes.link_create.prog_fd = (uint32_t)load_program(create_map(xdp));
  attributes.link_create.target_ifindex = (uint32_t)interface_index(interface);
  attributes.link_create.attach_type = BPF_XDP;
  attributes.link_create.flags = mode;
  // The descriptor of the link stays open; with it, or with this process, the program goes.
  bpf(BPF_LINK_CREATE, &attributes, "BPF_LINK_CREATE");
}

uint64_t xdp_drops(const struct xdp* xdp) {
  struct xdp_statistics statistics;
  socklen_t length = sizeof statistics;
  if (getsockopt(xdp->fd, SOL_XDP, XDP_STATISTICS, &statistics, &length) != 0) die("XDP_STATISTICS");
  return statistics.rx_dropped + statistics.rx_ring_full;
}
