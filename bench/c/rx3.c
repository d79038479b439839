// The reference reader: reads 14 bytes of every packet and sums the lengths, straight out of a TPACKET_V3 ring.
#include <stdio.h>
#include <string.h>

#include "common.h"
#include "ring.h"

struct counts {
  uint64_t packets, bytes, sum;
};

static struct counts counts;

static void walk(const uint8_t* bytes, uint32_t length) {
  for (int i = 0; i < 14; i++) counts.sum += bytes[i];
  counts.bytes += length;
  counts.packets++;
}

int main(int argc, char** argv) {
  if (argc != 5) usage("rx3 INTERFACE BLOCK_SIZE BLOCK_COUNT TIMEOUT_MS");
  struct ring ring = {
      .block_size = number(argv[2], 4096, 1u << 30),
      .block_count = (unsigned)number(argv[3], 1, 65536),
      .timeout_ms = (unsigned)number(argv[4], 1, 1000),
      .frame = walk,
  };
  ring_open(&ring, argv[1]);
  puts("{\"ready\":true}");
  fflush(stdout);
  uint64_t cpu = process_cpu_ns();
  while (ring_run(&ring) == COMMAND_MARK) {
    memset(&counts, 0, sizeof counts);
    ring_drops(&ring);
    cpu = process_cpu_ns();
    puts("{\"marked\":true}");
    fflush(stdout);
  }
  printf("{\"packets\":%llu,\"bytes\":%llu,\"sum\":%llu,\"drops\":%llu,\"cpuNs\":%llu}\n",
         (unsigned long long)counts.packets, (unsigned long long)counts.bytes, (unsigned long long)counts.sum,
         (unsigned long long)ring_drops(&ring), (unsigned long long)(process_cpu_ns() - cpu));
  return 0;
}
