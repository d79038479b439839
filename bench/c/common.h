#ifndef NETRING_BENCH_COMMON_H
#define NETRING_BENCH_COMMON_H

#include <stddef.h>
#include <stdint.h>

// Every frame of the bench is Ethernet + IPv4 + UDP with these fields in its payload, in host byte order.
enum {
  MIN_LENGTH = 64,
  MAX_LENGTH = 1514,
  SEQUENCE_OFFSET = 42,
  STAMP_OFFSET = 50,
  // A sealed frame ends with the FNV-1a hash of all its bytes before.
  SEAL_LENGTH = 4,
};

_Noreturn void die(const char* step);
_Noreturn void usage(const char* text);

// A decimal number between low and high, or the end of the process.
uint64_t number(const char* text, uint64_t low, uint64_t high);

uint64_t now_ns(void);

// Run time of all threads of this process in nanoseconds.
uint64_t process_cpu_ns(void);

int interface_index(const char* name);

void build_frame(uint8_t* frame, size_t length);
void stamp_frame(uint8_t* frame, uint64_t sequence, uint64_t stamp);
uint64_t frame_sequence(const uint8_t* frame);

// Gives the rest of the payload bytes that depend on the sequence number, and seals the frame.
void seal_frame(uint8_t* frame, size_t length);
int seal_holds(const uint8_t* frame, size_t length);

#endif
