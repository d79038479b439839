// The reference reader: reads 14 bytes of every packet and sums the lengths, straight out of a TPACKET_V3 ring.
#include "common.h"
#include "reader.h"
#include "ring.h"

static struct counts counts;

static void walk(const uint8_t* bytes, uint32_t length) { count_frame(&counts, bytes, length); }

int main(int argc, char** argv) {
  if (argc != 5) usage("rx3 INTERFACE BLOCK_SIZE BLOCK_COUNT TIMEOUT_MS");
  struct ring ring = {
      .block_size = number(argv[2], 4096, 1u << 30),
      .block_count = (unsigned)number(argv[3], 1, 65536),
      .timeout_ms = (unsigned)number(argv[4], 1, 1000),
      .frame = walk,
  };
  ring_open(&ring, argv[1]);
  const struct source source = ring_source(&ring);
  serve(&source, &counts);
  return 0;
}
