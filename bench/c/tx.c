// The reference senders: TX ring (TPACKET_V2), sendmmsg and send, as fast as they go.
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "common.h"

enum { RING_FRAMES = 1024, RING_FRAME_SIZE = 2048, MAX_BATCH = 512 };

static struct {
  int fd;
  size_t length;
  uint64_t count;
  unsigned batch;
  int sealed;
} job;

static void wait_for_room(void) {
  struct pollfd wait = {.fd = job.fd, .events = POLLOUT};
  if (poll(&wait, 1, 1000) <= 0) die("no room to send for a second");
}

static int is_full(void) { return errno == EAGAIN || errno == ENOBUFS; }

static void prepare(uint8_t* frame, uint64_t sequence) {
  stamp_frame(frame, sequence, now_ns());
  if (job.sealed) seal_frame(frame, job.length);
}

static void send_single(void) {
  uint8_t frame[MAX_LENGTH];
  build_frame(frame, job.length);
  for (uint64_t i = 0; i < job.count; i++) {
    prepare(frame, i);
    while (send(job.fd, frame, job.length, MSG_DONTWAIT) < 0) {
      if (!is_full()) die("send");
      wait_for_room();
    }
  }
}

static void send_many(void) {
  static uint8_t frames[MAX_BATCH][MAX_LENGTH];
  static struct iovec parts[MAX_BATCH];
  static struct mmsghdr messages[MAX_BATCH];
  for (unsigned i = 0; i < job.batch; i++) {
    build_frame(frames[i], job.length);
    parts[i] = (struct iovec){.iov_base = frames[i], .iov_len = job.length};
    messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
  }
  for (uint64_t sent = 0; sent < job.count;) {
    const unsigned size = job.count - sent < job.batch ? (unsigned)(job.count - sent) : job.batch;
    for (unsigned i = 0; i < size; i++) prepare(frames[i], sent + i);
    for (unsigned done = 0; done < size;) {
      const int taken = sendmmsg(job.fd, messages + done, size - done, MSG_DONTWAIT);
      if (taken > 0) {
        done += (unsigned)taken;
      } else {
        if (!is_full()) die("sendmmsg");
        wait_for_room();
      }
    }
    sent += size;
  }
}

static void kick(void) {
  if (send(job.fd, NULL, 0, MSG_DONTWAIT) < 0 && !is_full()) die("send on the ring");
}

static void send_ring(void) {
  const int version = TPACKET_V2;
  if (setsockopt(job.fd, SOL_PACKET, PACKET_VERSION, &version, sizeof version) != 0) die("PACKET_VERSION");
  const struct tpacket_req request = {
      .tp_block_size = RING_FRAME_SIZE * 32,
      .tp_block_nr = RING_FRAMES / 32,
      .tp_frame_size = RING_FRAME_SIZE,
      .tp_frame_nr = RING_FRAMES,
  };
  if (setsockopt(job.fd, SOL_PACKET, PACKET_TX_RING, &request, sizeof request) != 0) die("PACKET_TX_RING");
  const size_t size = (size_t)RING_FRAMES * RING_FRAME_SIZE;
  uint8_t* ring = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, job.fd, 0);
  if (ring == MAP_FAILED) die("mmap");
  const size_t data = TPACKET2_HDRLEN - sizeof(struct sockaddr_ll);
  for (unsigned i = 0; i < RING_FRAMES; i++) build_frame(ring + (size_t)i * RING_FRAME_SIZE + data, job.length);
  for (uint64_t i = 0; i < job.count; i++) {
    uint8_t* slot = ring + (i % RING_FRAMES) * RING_FRAME_SIZE;
    struct tpacket2_hdr* header = (void*)slot;
    _Atomic uint32_t* status = (_Atomic uint32_t*)&header->tp_status;
    while (atomic_load_explicit(status, memory_order_acquire) != TP_STATUS_AVAILABLE) {
      kick();
      wait_for_room();
    }
    prepare(slot + data, i);
    header->tp_len = (uint32_t)job.length;
    atomic_store_explicit(status, TP_STATUS_SEND_REQUEST, memory_order_release);
    if ((i + 1) % job.batch == 0) kick();
  }
  // Without MSG_DONTWAIT the call returns when every slot is sent.
  if (send(job.fd, NULL, 0, 0) < 0) die("send on the ring");
}

int main(int argc, char** argv) {
  if (argc < 6) usage("tx ring|mmsg|send INTERFACE LENGTH COUNT BATCH [sealed]");
  job.length = number(argv[3], MIN_LENGTH, MAX_LENGTH);
  job.count = number(argv[4], 1, UINT64_MAX);
  job.batch = (unsigned)number(argv[5], 1, MAX_BATCH);
  job.sealed = argc > 6 && strcmp(argv[6], "sealed") == 0;
  // Protocol 0: the socket hears nothing.
  job.fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
  if (job.fd < 0) die("socket");
  const struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_ifindex = interface_index(argv[2])};
  if (bind(job.fd, (const struct sockaddr*)&address, sizeof address) != 0) die("bind");

  const uint64_t cpu = process_cpu_ns();
  const uint64_t begin = now_ns();
  if (strcmp(argv[1], "ring") == 0) {
    send_ring();
  } else if (strcmp(argv[1], "mmsg") == 0) {
    send_many();
  } else if (strcmp(argv[1], "send") == 0) {
    send_single();
  } else {
    usage("tx ring|mmsg|send ...");
  }
  const uint64_t wall = now_ns() - begin;
  printf("{\"sent\":%llu,\"wallNs\":%llu,\"cpuNs\":%llu}\n", (unsigned long long)job.count, (unsigned long long)wall,
         (unsigned long long)(process_cpu_ns() - cpu));
  return 0;
}
