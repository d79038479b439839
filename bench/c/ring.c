#include "ring.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "common.h"

void ring_open(struct ring* ring, const char* interface) {
  ring->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
  if (ring->fd < 0) die("socket");
  const int version = TPACKET_V3;
  if (setsockopt(ring->fd, SOL_PACKET, PACKET_VERSION, &version, sizeof version) != 0) die("PACKET_VERSION");
  const struct tpacket_req3 request = {
      .tp_block_size = (unsigned)ring->block_size,
      .tp_block_nr = ring->block_count,
      .tp_frame_size = 2048,
      .tp_frame_nr = (unsigned)(ring->block_size / 2048 * ring->block_count),
      .tp_retire_blk_tov = ring->timeout_ms,
  };
  if (setsockopt(ring->fd, SOL_PACKET, PACKET_RX_RING, &request, sizeof request) != 0) die("PACKET_RX_RING");
  ring->memory =
      mmap(NULL, ring->block_size * ring->block_count, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring->fd, 0);
  if (ring->memory == MAP_FAILED) die("mmap");
  const struct sockaddr_ll address = {
      .sll_family = AF_PACKET,
      .sll_protocol = htons(ETH_P_ALL),
      .sll_ifindex = interface_index(interface),
  };
  if (bind(ring->fd, (const struct sockaddr*)&address, sizeof address) != 0) die("bind");
  const struct packet_mreq membership = {.mr_ifindex = address.sll_ifindex, .mr_type = PACKET_MR_PROMISC};
  if (setsockopt(ring->fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &membership, sizeof membership) != 0) die("promiscuous");
}

static int read_block(struct ring* ring) {
  struct tpacket_block_desc* block = (void*)(ring->memory + ring->next * ring->block_size);
  _Atomic uint32_t* status = (_Atomic uint32_t*)&block->hdr.bh1.block_status;
  if ((atomic_load_explicit(status, memory_order_acquire) & TP_STATUS_USER) == 0) return 0;
  const uint8_t* at = (const uint8_t*)block + block->hdr.bh1.offset_to_first_pkt;
  for (uint32_t left = block->hdr.bh1.num_pkts; left > 0; left--) {
    const struct tpacket3_hdr* packet = (const void*)at;
    ring->frame(at + packet->tp_mac, packet->tp_snaplen);
    at += packet->tp_next_offset;
  }
  if (ring->block_end != NULL) ring->block_end();
  atomic_store_explicit(status, TP_STATUS_KERNEL, memory_order_release);
  ring->next = (ring->next + 1) % ring->block_count;
  return 1;
}

static void read_blocks(void* ring) {
  while (read_block(ring)) continue;
}

uint64_t ring_drops(const struct ring* ring) {
  struct tpacket_stats_v3 stats;
  socklen_t length = sizeof stats;
  if (getsockopt(ring->fd, SOL_PACKET, PACKET_STATISTICS, &stats, &length) != 0) die("PACKET_STATISTICS");
  return stats.tp_drops;
}

static uint64_t source_drops(void* ring) { return ring_drops(ring); }

struct source ring_source(struct ring* ring) {
  return (struct source){
      .fd = ring->fd,
      .quiet_ms = (int)ring->timeout_ms * 3,
      .ring = ring,
      .read = read_blocks,
      .drops = source_drops,
  };
}

enum command ring_run(struct ring* ring) {
  const struct source source = ring_source(ring);
  return read_until_told(&source);
}
