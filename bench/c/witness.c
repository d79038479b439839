// Judges COUNT sealed frames of one length: each must arrive once, unchanged.
#include <stdio.h>
#include <stdlib.h>

#include "common.h"
#include "ring.h"

static struct {
  uint64_t count, length;
  uint64_t received, doubled, changed, reordered;
  uint64_t next;
  uint8_t* seen;
} judged;

static void judge(const uint8_t* bytes, uint32_t length) {
  judged.received++;
  if (length != judged.length || !seal_holds(bytes, length) || frame_sequence(bytes) >= judged.count) {
    judged.changed++;
    return;
  }
  const uint64_t sequence = frame_sequence(bytes);
  if (judged.seen[sequence]) {
    judged.doubled++;
    return;
  }
  if (sequence < judged.next) judged.reordered++;
  judged.seen[sequence] = 1;
  judged.next = sequence + 1;
}

int main(int argc, char** argv) {
  if (argc != 4) usage("witness INTERFACE LENGTH COUNT");
  judged.length = number(argv[2], MIN_LENGTH, MAX_LENGTH);
  judged.count = number(argv[3], 1, 100000000);
  judged.seen = calloc(judged.count, 1);
  if (judged.seen == NULL) die("calloc");
  struct ring ring = {.block_size = 1u << 20, .block_count = 128, .timeout_ms = 10, .frame = judge};
  ring_open(&ring, argv[1]);
  puts("{\"ready\":true}");
  fflush(stdout);
  while (ring_run(&ring) != COMMAND_STOP) continue;
  uint64_t missing = 0;
  for (uint64_t i = 0; i < judged.count; i++) missing += !judged.seen[i];
  printf("{\"received\":%llu,\"missing\":%llu,\"doubled\":%llu,\"changed\":%llu,\"reordered\":%llu,\"drops\":%llu}\n",
         (unsigned long long)judged.received, (unsigned long long)missing, (unsigned long long)judged.doubled,
         (unsigned long long)judged.changed, (unsigned long long)judged.reordered,
         (unsigned long long)ring_drops(&ring));
  return 0;
}
