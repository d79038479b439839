/*
 * An independent witness: ordinary AF_PACKET sockets, recvmsg and send, no ring, none of the package's code.
 *
 *   probe receive IFACE          every frame to stdout: 8 words of 32 bits (captured length, original length, status,
 *                                VLAN tci | tpid << 16, packet type, protocol, seconds, nanoseconds), then the bytes
 *   probe count IFACE TOTAL      judges TOTAL numbered frames; prints one line of JSON when stdin ends
 *   probe send IFACE             sends each line of hexadecimal digits on stdin as one frame; prints one line of JSON
 * at the end probe flood IFACE COUNT SIZE RATE   sends COUNT numbered frames of SIZE bytes, RATE a second (0: as fast
 * as it goes)
 *
 * "ready" on stderr says that the socket is bound. A numbered frame: broadcast, ethertype 0x88b5, its number as 64 bits
 * in network order, then bytes (number + offset) mod 256.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_FRAME = 1 << 17, BURST = 64, NUMBER_AT = 14, FILL_AT = 22 };

static void die(const char *step) {
  fprintf(stderr, "probe: %s: %s\n", step, strerror(errno));
  exit(1);
}

static int open_socket(const char *interface, int protocol) {
  int fd = socket(AF_PACKET, SOCK_RAW, 0);
  if (fd < 0) die("socket");
  int size = 512 << 20, one = 1;
  /* The forced size needs privilege over the machine, which a user namespace does not give. */
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) < 0)
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size) < 0)
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  if (setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &one, sizeof one) < 0) die("PACKET_AUXDATA");
  if (setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof one) < 0) die("SO_TIMESTAMPNS");
  struct sockaddr_ll address = {
      .sll_family = AF_PACKET, .sll_protocol = htons(protocol), .sll_ifindex = (int)if_nametoindex(interface)};
  if (address.sll_ifindex == 0) die(interface);
  if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0) die("bind");
  fputs("ready\n", stderr);
  return fd;
}

static void pause_ms(long ms) {
  struct timespec pause = {0, ms * 1000000};
  nanosleep(&pause, NULL);
}

/*
 * The first end of a new cable has a carrier at once, and a queue that sends only when the kernel has worked off the
 * event: until then it throws frames away and says that they are sent. Both are seen together, in IFF_RUNNING; at most
 * two seconds.
 */
static void await_queue(int fd, const char *interface) {
  struct ifreq request = {0};
  snprintf(request.ifr_name, sizeof request.ifr_name, "%s", interface);
  for (int waits = 0; waits < 400; waits++) {
    struct ethtool_value carrier = {.cmd = ETHTOOL_GLINK};
    request.ifr_data = (char *)&carrier;
    if (ioctl(fd, SIOCETHTOOL, &request) < 0 || carrier.data == 0) return;
    if (ioctl(fd, SIOCGIFFLAGS, &request) < 0) return;
    const int runs = (request.ifr_flags & IFF_RUNNING) != 0;
    if (runs && waits == 0) return;
    /* Once more when it runs: the flag is set a moment before the queue is. */
    pause_ms(5);
    if (runs) return;
  }
}

static unsigned char buffer[MAX_FRAME];

static void receive(const char *interface) {
  int fd = open_socket(interface, ETH_P_ALL);
  char control[256];
  for (;;) {
    struct sockaddr_ll from;
    struct iovec part = {buffer, sizeof buffer};
    struct msghdr message = {&from, sizeof from, &part, 1, control, sizeof control, 0};
    ssize_t length = recvmsg(fd, &message, MSG_TRUNC);
    if (length < 0) {
      /* The interface went down: frames come again when it is up. */
      if (errno == ENETDOWN || errno == EINTR) continue;
      die("recvmsg");
    }
    uint32_t head[8] = {(uint32_t)length, (uint32_t)length, 0, 0, from.sll_pkttype, ntohs(from.sll_protocol), 0, 0};
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c != NULL; c = CMSG_NXTHDR(&message, c)) {
      if (c->cmsg_level == SOL_PACKET && c->cmsg_type == PACKET_AUXDATA) {
        struct tpacket_auxdata aux;
        memcpy(&aux, CMSG_DATA(c), sizeof aux);
        head[1] = aux.tp_len;
        head[2] = aux.tp_status;
        head[3] = (uint32_t)aux.tp_vlan_tci | (uint32_t)aux.tp_vlan_tpid << 16;
      } else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_TIMESTAMPNS) {
        struct timespec at;
        memcpy(&at, CMSG_DATA(c), sizeof at);
        head[6] = (uint32_t)at.tv_sec;
        head[7] = (uint32_t)at.tv_nsec;
      }
    }
    if (fwrite(head, sizeof head, 1, stdout) != 1 || fwrite(buffer, 1, (size_t)length, stdout) != (size_t)length)
      exit(0);
    struct pollfd more = {fd, POLLIN, 0};
    if (poll(&more, 1, 0) == 0) fflush(stdout);
  }
}

static uint64_t number_of(const unsigned char *frame) {
  uint64_t number = 0;
  for (int i = 0; i < 8; i++) number = number << 8 | frame[NUMBER_AT + i];
  return number;
}

static int intact(const unsigned char *frame, size_t length, uint64_t number) {
  for (size_t i = FILL_AT; i < length; i++)
    if (frame[i] != (unsigned char)(number + i)) return 0;
  return 1;
}

static void count(const char *interface, uint64_t total) {
  static struct mmsghdr messages[BURST];
  static struct iovec parts[BURST];
  static unsigned char frames[BURST][2048];
  unsigned char *seen = calloc(total + 1, 1);
  if (seen == NULL) die("calloc");
  int fd = open_socket(interface, 0x88b5);
  for (int i = 0; i < BURST; i++) {
    parts[i] = (struct iovec){frames[i], sizeof frames[i]};
    messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
  }
  uint64_t received = 0, distinct = 0, doubled = 0, changed = 0, foreign = 0, unordered = 0, previous = 0;
  struct pollfd watched[2] = {{fd, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
  for (int ended = 0; !ended;) {
    if (poll(watched, 2, -1) < 0 && errno != EINTR) die("poll");
    /* What was queued when stdin ended still counts. */
    ended = (watched[1].revents & (POLLIN | POLLHUP)) != 0;
    for (int got; (got = recvmmsg(fd, messages, BURST, MSG_DONTWAIT, NULL)) > 0;) {
      for (int i = 0; i < got; i++) {
        size_t length = messages[i].msg_len;
        uint64_t number = length >= FILL_AT ? number_of(frames[i]) : total;
        received++;
        if (number >= total)
          foreign++;
        else if (!intact(frames[i], length, number))
          changed++;
        else if (seen[number])
          doubled++;
        else
          seen[number] = 1, distinct++;
        if (received > 1 && number < previous) unordered++;
        previous = number;
      }
    }
  }
  struct tpacket_stats statistics = {0};
  socklen_t size = sizeof statistics;
  getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &statistics, &size);
  printf(
      "{\"received\":%lu,\"missing\":%lu,\"doubled\":%lu,\"changed\":%lu,\"foreign\":%lu,\"unordered\":%lu,\"dropped\":"
      "%u}\n",
      received, total - distinct, doubled, changed, foreign, unordered, statistics.tp_drops);
}

static int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void send_lines(const char *interface) {
  static char line[2 * MAX_FRAME + 2];
  int fd = open_socket(interface, 0);
  unsigned long sent = 0, failed = 0;
  int last = 0;
  await_queue(fd, interface);
  while (fgets(line, sizeof line, stdin) != NULL) {
    size_t length = 0;
    for (; digit(line[2 * length]) >= 0 && digit(line[2 * length + 1]) >= 0; length++)
      buffer[length] = (unsigned char)(digit(line[2 * length]) << 4 | digit(line[2 * length + 1]));
    ssize_t result;
    do result = send(fd, buffer, length, 0);
    while (result < 0 && (errno == ENOBUFS || errno == EINTR));
    if (result == (ssize_t)length)
      sent++;
    else
      failed++, last = errno;
  }
  printf("{\"sent\":%lu,\"failed\":%lu,\"errno\":%d}\n", sent, failed, last);
}

static double now(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static void flood(const char *interface, uint64_t total, size_t length, double rate) {
  static struct mmsghdr messages[BURST];
  static struct iovec parts[BURST];
  static unsigned char frames[BURST][65536];
  if (length < FILL_AT || length > sizeof frames[0]) length = FILL_AT;
  int fd = open_socket(interface, 0);
  for (int i = 0; i < BURST; i++) {
    memset(frames[i], 0xff, 6);
    memcpy(frames[i] + 6, "\x02\x00\x00\x00\x00\x01\x88\xb5", 8);
    parts[i] = (struct iovec){frames[i], length};
    messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
  }
  await_queue(fd, interface);
  double start = now();
  for (uint64_t sent = 0; sent < total;) {
    uint64_t due = rate > 0 ? (uint64_t)((now() - start) * rate) + 1 : total;
    if (due > total) due = total;
    if (due <= sent) {
      struct timespec pause = {0, 200000};
      nanosleep(&pause, NULL);
      continue;
    }
    int burst = due - sent < BURST ? (int)(due - sent) : BURST;
    for (int i = 0; i < burst; i++) {
      uint64_t number = sent + (uint64_t)i;
      for (int b = 0; b < 8; b++) frames[i][NUMBER_AT + b] = (unsigned char)(number >> (56 - 8 * b));
      for (size_t b = FILL_AT; b < length; b++) frames[i][b] = (unsigned char)(number + b);
    }
    int result = sendmmsg(fd, messages, (unsigned)burst, 0);
    if (result > 0)
      sent += (uint64_t)result;
    else if (errno != ENOBUFS && errno != EAGAIN && errno != EINTR)
      die("sendmmsg");
  }
  printf("{\"sent\":%lu,\"seconds\":%.6f}\n", total, now() - start);
}

int main(int argc, char **argv) {
  const char *mode = argc > 2 ? argv[1] : "";
  if (strcmp(mode, "receive") == 0)
    receive(argv[2]);
  else if (strcmp(mode, "count") == 0 && argc > 3)
    count(argv[2], strtoull(argv[3], NULL, 10));
  else if (strcmp(mode, "send") == 0)
    send_lines(argv[2]);
  else if (strcmp(mode, "flood") == 0 && argc > 5)
    flood(argv[2], strtoull(argv[3], NULL, 10), strtoul(argv[4], NULL, 10), strtod(argv[5], NULL));
  else
    return fputs("probe: receive IFACE | count IFACE TOTAL | send IFACE | flood IFACE COUNT SIZE RATE\n", stderr), 2;
  return 0;
}
