// Reads stamped frames as they come, without a block that holds them back, and tells how old they were: out of a
// TPACKET_V2 ring (`v2`), or from the socket's queue, up to 64 a call (`recvmmsg`).
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "common.h"
#include "reader.h"

enum { SLOT = 2048, BLOCK = 256 * 1024, BLOCKS = 64, SLOTS = BLOCK / SLOT * BLOCKS, MOST = 64, AGES = 1 << 20 };

static struct {
  int fd;
  uint8_t* memory;
  unsigned next;
  struct mmsghdr messages[MOST];
  struct iovec parts[MOST];
  uint8_t frames[MOST][SLOT];
  uint64_t ages[AGES];
  uint64_t packets;
} reader;

static void see(const uint8_t* frame) {
  uint64_t stamp;
  memcpy(&stamp, frame + STAMP_OFFSET, sizeof stamp);
  reader.ages[reader.packets++ % AGES] = now_ns() - stamp;
}

static void read_ring(void* unused) {
  (void)unused;
  for (;;) {
    struct tpacket2_hdr* slot = (void*)(reader.memory + (size_t)reader.next * SLOT);
    _Atomic uint32_t* status = (_Atomic uint32_t*)&slot->tp_status;
    if ((atomic_load_explicit(status, memory_order_acquire) & TP_STATUS_USER) == 0) return;
    see((uint8_t*)slot + slot->tp_mac);
    atomic_store_explicit(status, TP_STATUS_KERNEL, memory_order_release);
    reader.next = (reader.next + 1) % SLOTS;
  }
}

static void read_queue(void* unused) {
  (void)unused;
  for (;;) {
    const int got = recvmmsg(reader.fd, reader.messages, MOST, MSG_DONTWAIT, NULL);
    if (got < 0 && errno == EAGAIN) return;
    if (got < 0) die("recvmmsg");
    for (int i = 0; i < got; i++) see(reader.frames[i]);
    if (got < MOST) return;
  }
}

static uint64_t drops(void* unused) {
  (void)unused;
  struct tpacket_stats stats;
  socklen_t length = sizeof stats;
  if (getsockopt(reader.fd, SOL_PACKET, PACKET_STATISTICS, &stats, &length) != 0) die("PACKET_STATISTICS");
  return stats.tp_drops;
}

static void open_ring(void) {
  const int version = TPACKET_V2;
  if (setsockopt(reader.fd, SOL_PACKET, PACKET_VERSION, &version, sizeof version) != 0) die("PACKET_VERSION");
  const struct tpacket_req request = {
      .tp_block_size = BLOCK, .tp_block_nr = BLOCKS, .tp_frame_size = SLOT, .tp_frame_nr = SLOTS};
  if (setsockopt(reader.fd, SOL_PACKET, PACKET_RX_RING, &request, sizeof request) != 0) die("PACKET_RX_RING");
  reader.memory = mmap(NULL, (size_t)BLOCK * BLOCKS, PROT_READ | PROT_WRITE, MAP_SHARED, reader.fd, 0);
  if (reader.memory == MAP_FAILED) die("mmap");
}

static void open_queue(void) {
  // The kernel doubles it: what the ring has.
  const int bytes = BLOCK * BLOCKS / 2;
  if (setsockopt(reader.fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) != 0) die("SO_RCVBUFFORCE");
  for (int i = 0; i < MOST; i++) {
    reader.parts[i] = (struct iovec){reader.frames[i], SLOT};
    reader.messages[i].msg_hdr = (struct msghdr){.msg_iov = &reader.parts[i], .msg_iovlen = 1};
  }
}

static int by_age(const void* a, const void* b) {
  const uint64_t x = *(const uint64_t*)a;
  const uint64_t y = *(const uint64_t*)b;
  return (x > y) - (x < y);
}

int main(int argc, char** argv) {
  if (argc != 3) usage("latency v2|recvmmsg INTERFACE");
  const int ring = strcmp(argv[1], "v2") == 0;
  reader.fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
  if (reader.fd < 0) die("socket");
  if (ring)
    open_ring();
  else
    open_queue();
  const struct sockaddr_ll address = {
      .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = interface_index(argv[2])};
  if (bind(reader.fd, (const struct sockaddr*)&address, sizeof address) != 0) die("bind");
  const struct source source = {.fd = reader.fd, .quiet_ms = 40, .read = ring ? read_ring : read_queue, .drops = drops};
  puts("{\"ready\":true}");
  fflush(stdout);
  uint64_t cpu = process_cpu_ns();
  while (read_until_told(&source) == COMMAND_MARK) {
    reader.packets = 0;
    drops(NULL);
    cpu = process_cpu_ns();
    puts("{\"marked\":true}");
    fflush(stdout);
  }
  const uint64_t spent = process_cpu_ns() - cpu;
  const uint64_t count = reader.packets < AGES ? reader.packets : AGES;
  qsort(reader.ages, count, sizeof *reader.ages, by_age);
  printf("{\"packets\":%llu,\"drops\":%llu,\"cpuNs\":%llu,\"p50\":%llu,\"p99\":%llu}\n",
         (unsigned long long)reader.packets, (unsigned long long)drops(NULL), (unsigned long long)spent,
         (unsigned long long)(count == 0 ? 0 : reader.ages[count / 2]),
         (unsigned long long)(count == 0 ? 0 : reader.ages[count - 1 - count / 100]));
  return 0;
}
