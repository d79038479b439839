// The reference forwarder: frames of one interface out of a TPACKET_V3 ring, sent on another with sendmmsg straight out
// of the block, one direction. It carries neither checksums nor VLAN tags along, and is as late as its blocks are.
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "common.h"
#include "ring.h"

enum { BATCH = 64 };

static int out;
static struct mmsghdr messages[BATCH];
static struct iovec parts[BATCH];
static unsigned waiting;
static uint64_t sent;

static void flush(void) {
  for (unsigned done = 0; done < waiting;) {
    const int taken = sendmmsg(out, messages + done, waiting - done, 0);
    if (taken < 0) die("sendmmsg");
    done += (unsigned)taken;
    sent += (unsigned)taken;
  }
  waiting = 0;
}

static void forward(const uint8_t* bytes, uint32_t length) {
  parts[waiting] = (struct iovec){.iov_base = (void*)bytes, .iov_len = length};
  messages[waiting].msg_hdr = (struct msghdr){.msg_iov = &parts[waiting], .msg_iovlen = 1};
  if (++waiting == BATCH) flush();
}

int main(int argc, char** argv) {
  if (argc != 6) usage("forward FROM TO BLOCK_SIZE BLOCK_COUNT TIMEOUT_MS");
  struct ring ring = {
      .block_size = number(argv[3], 4096, 1u << 30),
      .block_count = (unsigned)number(argv[4], 1, 65536),
      .timeout_ms = (unsigned)number(argv[5], 1, 1000),
      .frame = forward,
      .block_end = flush,
  };
  out = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
  if (out < 0) die("socket");
  const int on = 1;
  if (setsockopt(out, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof on) != 0) die("PACKET_QDISC_BYPASS");
  const struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_ifindex = interface_index(argv[2])};
  if (bind(out, (const struct sockaddr*)&address, sizeof address) != 0) die("bind");
  ring_open(&ring, argv[1]);
  puts("{\"ready\":true}");
  fflush(stdout);
  const uint64_t cpu = process_cpu_ns();
  ring_run(&ring);
  printf("{\"packets\":%llu,\"drops\":%llu,\"cpuNs\":%llu}\n", (unsigned long long)sent,
         (unsigned long long)ring_drops(&ring), (unsigned long long)(process_cpu_ns() - cpu));
  return 0;
}
