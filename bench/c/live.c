// The generator: an XDP program run over frames that the kernel makes (BPF_F_TEST_XDP_LIVE_FRAMES, Linux 5.18), twice
// as fast as any socket. It numbers and stamps the frames and paces itself by the clock: a frame that is not yet due is
// dropped before it leaves.
//
// The receiving end of a veth pair takes such frames only with NAPI on ("ethtool -K PEER gro on"); otherwise they
// vanish without a trace.
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common.h"

// Shared with the program: one element of an array map, mapped into this process.
struct control {
  uint64_t sequence;
  uint64_t count;
  uint64_t start;
  // Nanoseconds between two frames; 0 as fast as it goes.
  uint64_t interval;
};

// A run makes and frees its frames, which waits for an RCU grace period (20 ms), so the runs are long.
enum { RUN_CHUNK = 1 << 20, RUN_BATCH = 64, MAPPED = 4096 };

static long bpf(enum bpf_cmd command, union bpf_attr* attributes) {
  return syscall(SYS_bpf, command, attributes, sizeof *attributes);
}

static int create_map(void) {
  union bpf_attr attributes;
  memset(&attributes, 0, sizeof attributes);
  attributes.map_type = BPF_MAP_TYPE_ARRAY;
  attributes.key_size = 4;
  attributes.value_size = sizeof(struct control);
  attributes.max_entries = 1;
  attributes.map_flags = BPF_F_MMAPABLE;
  const long fd = bpf(BPF_MAP_CREATE, &attributes);
  if (fd < 0) die("BPF_MAP_CREATE");
  return (int)fd;
}

#define INSN(operation, to, from, offset, immediate) \
  (struct bpf_insn) { .code = (operation), .dst_reg = (to), .src_reg = (from), .off = (offset), .imm = (immediate) }
#define MOVE(to, from) INSN(BPF_ALU64 | BPF_MOV | BPF_X, to, from, 0, 0)
#define LOAD(size, to, from, offset) INSN(BPF_LDX | BPF_MEM | (size), to, from, offset, 0)
#define STORE(to, offset, from) INSN(BPF_STX | BPF_MEM | BPF_DW, to, from, offset, 0)
#define COMPUTE(operation, to, from) INSN(BPF_ALU64 | (operation) | BPF_X, to, from, 0, 0)
#define JUMP(operation, left, right, target) INSN(BPF_JMP | (operation) | BPF_X, left, right, target, 0)
#define SEND_AT 18
#define DROP_AT 24
// Distance from the instruction at `here` to a label.
#define TO(label, here) ((label) - (here)-1)

static int load_program(int map) {
  const struct bpf_insn program[] = {
      /* 0 */ MOVE(6, 1),
      /* 1 */ INSN(BPF_LD | BPF_IMM | BPF_DW, 7, BPF_PSEUDO_MAP_VALUE, 0, map),
      /* 2 */ INSN(0, 0, 0, 0, 0),
      /* 3 */ LOAD(BPF_W, 8, 6, offsetof(struct xdp_md, data)),
      /* 4 */ LOAD(BPF_W, 9, 6, offsetof(struct xdp_md, data_end)),
      /* 5 */ MOVE(2, 8),
      /* 6 */ INSN(BPF_ALU64 | BPF_ADD | BPF_K, 2, 0, 0, MIN_LENGTH),
      /* 7 */ JUMP(BPF_JGT, 2, 9, TO(DROP_AT, 7)),
      /* 8 */ LOAD(BPF_DW, 9, 7, offsetof(struct control, sequence)),
      /* 9 */ LOAD(BPF_DW, 1, 7, offsetof(struct control, count)),
      /* 10 */ JUMP(BPF_JGE, 9, 1, TO(DROP_AT, 10)),
      /* 11 */ INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_ktime_get_ns),
      /* 12 */ LOAD(BPF_DW, 3, 7, offsetof(struct control, interval)),
      /* 13 */ INSN(BPF_JMP | BPF_JEQ | BPF_K, 3, 0, TO(SEND_AT, 13), 0),
      /* 14 */ COMPUTE(BPF_MUL, 3, 9),
      /* 15 */ LOAD(BPF_DW, 4, 7, offsetof(struct control, start)),
      /* 16 */ COMPUTE(BPF_ADD, 3, 4),
      /* 17 */ JUMP(BPF_JGT, 3, 0, TO(DROP_AT, 17)),
      /* SEND_AT */ STORE(8, SEQUENCE_OFFSET, 9),
      /* 19 */ STORE(8, STAMP_OFFSET, 0),
      /* 20 */ INSN(BPF_ALU64 | BPF_ADD | BPF_K, 9, 0, 0, 1),
      /* 21 */ STORE(7, offsetof(struct control, sequence), 9),
      /* 22 */ INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, XDP_TX),
      /* 23 */ INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
      /* DROP_AT */ INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, XDP_DROP),
      /* 25 */ INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
  };
  static char log[16384];
  union bpf_attr attributes;
  memset(&attributes, 0, sizeof attributes);
  attributes.prog_type = BPF_PROG_TYPE_XDP;
  attributes.insns = (uintptr_t)program;
  attributes.insn_cnt = sizeof program / sizeof *program;
  attributes.license = (uintptr_t) "Dual MIT/GPL";
  attributes.log_buf = (uintptr_t)log;
  attributes.log_size = sizeof log;
  attributes.log_level = 1;
  const long fd = bpf(BPF_PROG_LOAD, &attributes);
  if (fd < 0) {
    fputs(log, stderr);
    die("BPF_PROG_LOAD");
  }
  return (int)fd;
}

int main(int argc, char** argv) {
  if (argc != 5) usage("live INTERFACE LENGTH COUNT FRAMES_PER_SECOND (0: as fast as it goes)");
  const size_t length = number(argv[2], MIN_LENGTH, MAX_LENGTH);
  const uint64_t count = number(argv[3], 1, UINT64_MAX);
  const uint64_t rate = number(argv[4], 0, 100000000);
  uint8_t frame[MAX_LENGTH];
  build_frame(frame, length);

  const int map = create_map();
  struct control* control = mmap(NULL, MAPPED, PROT_READ | PROT_WRITE, MAP_SHARED, map, 0);
  if (control == MAP_FAILED) die("mmap of the map");
  const int program = load_program(map);
  struct xdp_md context = {.data_end = (uint32_t)length, .ingress_ifindex = (uint32_t)interface_index(argv[1])};
  union bpf_attr attributes;
  memset(&attributes, 0, sizeof attributes);
  attributes.test.prog_fd = (uint32_t)program;
  attributes.test.data_in = (uintptr_t)frame;
  attributes.test.data_size_in = (uint32_t)length;
  attributes.test.ctx_in = (uintptr_t)&context;
  attributes.test.ctx_size_in = sizeof context;
  attributes.test.flags = BPF_F_TEST_XDP_LIVE_FRAMES;
  attributes.test.batch_size = RUN_BATCH;

  volatile const uint64_t* sent = &control->sequence;
  const uint64_t cpu = process_cpu_ns();
  const uint64_t begin = now_ns();
  control->count = count;
  control->start = begin;
  control->interval = rate == 0 ? 0 : 1000000000u / rate;
  while (*sent < count) {
    const uint64_t left = count - *sent;
    attributes.test.repeat = rate == 0 && left < RUN_CHUNK ? (uint32_t)left : RUN_CHUNK;
    if (bpf(BPF_PROG_TEST_RUN, &attributes) != 0) die("BPF_PROG_TEST_RUN");
  }
  const uint64_t wall = now_ns() - begin;
  printf("{\"sent\":%llu,\"wallNs\":%llu,\"cpuNs\":%llu}\n", (unsigned long long)*sent, (unsigned long long)wall,
         (unsigned long long)(process_cpu_ns() - cpu));
  return 0;
}
