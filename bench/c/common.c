#include "common.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ETHERNET_LENGTH = 14, IP_LENGTH = 20, FILL_OFFSET = 58 };

_Noreturn void die(const char* step) {
  fprintf(stderr, "%s: %s\n", step, strerror(errno));
  exit(1);
}

_Noreturn void usage(const char* text) {
  fprintf(stderr, "usage: %s\n", text);
  exit(2);
}

uint64_t number(const char* text, uint64_t low, uint64_t high) {
  char* end = NULL;
  errno = 0;
  const uint64_t value = strtoull(text, &end, 10);
  if (errno != 0 || end == text || *end != '\0' || value < low || value > high) {
    fprintf(stderr, "%s is not a number from %llu to %llu\n", text, (unsigned long long)low, (unsigned long long)high);
    exit(2);
  }
  return value;
}

uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

// The kernel brings these numbers up to date at a switch or a tick, so they are exact right after a wait and up to a
// tick old in a busy thread. All readers of the bench take them after a wait.
uint64_t process_cpu_ns(void) {
  DIR* tasks = opendir("/proc/self/task");
  if (tasks == NULL) die("/proc/self/task");
  uint64_t total = 0;
  for (struct dirent* task = readdir(tasks); task != NULL; task = readdir(tasks)) {
    if (task->d_name[0] == '.') continue;
    char path[320];
    snprintf(path, sizeof path, "/proc/self/task/%s/schedstat", task->d_name);
    FILE* file = fopen(path, "r");
    unsigned long long run = 0;
    if (file != NULL && fscanf(file, "%llu", &run) == 1) total += run;
    if (file != NULL) fclose(file);
  }
  closedir(tasks);
  return total;
}

int interface_index(const char* name) {
  const unsigned index = if_nametoindex(name);
  if (index == 0) die(name);
  return (int)index;
}

static void put16(uint8_t* at, unsigned value) {
  at[0] = (uint8_t)(value >> 8);
  at[1] = (uint8_t)value;
}

static unsigned internet_checksum(const uint8_t* bytes, size_t length) {
  uint32_t sum = 0;
  for (size_t i = 0; i < length; i += 2) sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return ~sum & 0xffff;
}

void build_frame(uint8_t* frame, size_t length) {
  // The destination is nobody's address: the stack behind the receive ring drops the frame early and the ring is what
  // is measured.
  static const uint8_t ethernet[] = {0x02, 0, 0, 0, 0, 0xbb, 0x02, 0, 0, 0, 0, 0xaa, 0x08, 0x00};
  static const uint8_t ip[] = {0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2};
  memset(frame, 0, length);
  memcpy(frame, ethernet, sizeof ethernet);
  uint8_t* header = frame + ETHERNET_LENGTH;
  memcpy(header, ip, sizeof ip);
  put16(header + 2, (unsigned)(length - ETHERNET_LENGTH));
  put16(header + 10, internet_checksum(header, sizeof ip));
  uint8_t* udp = header + IP_LENGTH;
  put16(udp, 4000);
  put16(udp + 2, 4001);
  put16(udp + 4, (unsigned)(length - ETHERNET_LENGTH - IP_LENGTH));
}

void stamp_frame(uint8_t* frame, uint64_t sequence, uint64_t stamp) {
  memcpy(frame + SEQUENCE_OFFSET, &sequence, sizeof sequence);
  memcpy(frame + STAMP_OFFSET, &stamp, sizeof stamp);
}

uint64_t frame_sequence(const uint8_t* frame) {
  uint64_t sequence;
  memcpy(&sequence, frame + SEQUENCE_OFFSET, sizeof sequence);
  return sequence;
}

static uint32_t fnv1a(const uint8_t* bytes, size_t length) {
  uint32_t hash = 0x811c9dc5u;
  for (size_t i = 0; i < length; i++) hash = (hash ^ bytes[i]) * 0x01000193u;
  return hash;
}

void seal_frame(uint8_t* frame, size_t length) {
  uint32_t state = (uint32_t)frame_sequence(frame) * 2654435761u + 1;
  for (size_t i = FILL_OFFSET; i < length - SEAL_LENGTH; i++) {
    state = state * 1664525u + 1013904223u;
    frame[i] = (uint8_t)(state >> 24);
  }
  const uint32_t hash = fnv1a(frame, length - SEAL_LENGTH);
  memcpy(frame + length - SEAL_LENGTH, &hash, sizeof hash);
}

int seal_holds(const uint8_t* frame, size_t length) {
  uint32_t hash;
  memcpy(&hash, frame + length - SEAL_LENGTH, sizeof hash);
  return hash == fnv1a(frame, length - SEAL_LENGTH);
}
