#ifndef NETRING_BENCH_READER_H
#define NETRING_BENCH_READER_H

#include <stdint.h>

// Where a reader's frames come from.
struct source {
  // Readable when frames wait.
  int fd;
  // After so many milliseconds without a frame nothing that was sent before is still on its way.
  int quiet_ms;
  void* ring;
  // Reads all frames that are there.
  void (*read)(void* ring);
  // Frames the kernel dropped since the last call.
  uint64_t (*drops)(void* ring);
};

// What the reader was told on its standard input.
enum command { COMMAND_MARK, COMMAND_STOP };

// Reads frames until a command has come and what was sent before it is read.
enum command read_until_told(const struct source* source);

struct counts {
  uint64_t packets, bytes, sum;
};

// What every reader does with a frame: reads 14 bytes of it and sums the lengths.
static inline void count_frame(struct counts* counts, const uint8_t* bytes, uint32_t length) {
  for (int i = 0; i < 14; i++) counts->sum += bytes[i];
  counts->bytes += length;
  counts->packets++;
}

// Says that it is ready, counts from each mark on and tells at the end what it counted.
void serve(const struct source* source, struct counts* counts);

#endif
