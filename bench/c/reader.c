#include "reader.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common.h"

enum command read_until_told(const struct source* source) {
  enum command command = COMMAND_STOP;
  int draining = 0;
  for (;;) {
    source->read(source->ring);
    // Once told, the driver sends nothing more.
    struct pollfd wait[2] = {{.fd = source->fd, .events = POLLIN},
                             {.fd = draining ? -1 : STDIN_FILENO, .events = POLLIN}};
    const int ready = poll(wait, 2, draining ? source->quiet_ms : -1);
    if (ready < 0) die("poll");
    if (ready == 0) return command;
    if (wait[1].revents != 0) {
      char text[64];
      const ssize_t got = read(STDIN_FILENO, text, sizeof text);
      command = got > 0 && text[0] == 'm' ? COMMAND_MARK : COMMAND_STOP;
      draining = 1;
    }
  }
}

void serve(const struct source* source, struct counts* counts) {
  puts("{\"ready\":true}");
  fflush(stdout);
  uint64_t cpu = process_cpu_ns();
  while (read_until_told(source) == COMMAND_MARK) {
    memset(counts, 0, sizeof *counts);
    source->drops(source->ring);
    cpu = process_cpu_ns();
    puts("{\"marked\":true}");
    fflush(stdout);
  }
  printf("{\"packets\":%llu,\"bytes\":%llu,\"sum\":%llu,\"drops\":%llu,\"cpuNs\":%llu}\n",
         (unsigned long long)counts->packets, (unsigned long long)counts->bytes, (unsigned long long)counts->sum,
         (unsigned long long)source->drops(source->ring), (unsigned long long)(process_cpu_ns() - cpu));
}
