#include "bpf_syscall.h"

#include <sys/syscall.h>

#include <cstring>
#include <memory>
#include <string_view>

namespace netring {

namespace {

// What <linux/bpf.h> has since 5.7 (links) and 5.9 (links of XDP).
constexpr int kLinkCreate = 28;    // BPF_LINK_CREATE
constexpr int kLinkUpdate = 29;    // BPF_LINK_UPDATE
constexpr uint32_t kTypeXdp = 37;  // BPF_XDP

struct LinkCreate {
  uint32_t program_fd;
  uint32_t ifindex;
  uint32_t attach_type;
  uint32_t flags;
};

struct LinkUpdate {
  uint32_t link_fd;
  uint32_t program_fd;
  uint32_t flags;
  uint32_t old_program_fd;
};

struct alignas(8) LinkInfo {
  uint32_t type;
  uint32_t id;
  uint32_t program_id;
  uint32_t padding;
  uint32_t ifindex;
};

// Enough for the end of what the verifier says about a program of some ten thousand steps. Kernels before 6.4 keep the
// beginning when it is not.
constexpr uint32_t kLogSize = 4 << 20;

int bpf(int command, void* argument, size_t size) {
  return static_cast<int>(::syscall(__NR_bpf, command, argument, size));
}

int bpf(int command, bpf_attr* attr) { return bpf(command, attr, sizeof *attr); }

// The kernel refuses arguments with anything but zeros where it knows of no field.
bpf_attr zeroed() {
  bpf_attr attr{};
  // Of a union braces clear the first member only.
  std::memset(&attr, 0, sizeof attr);
  return attr;
}

uint64_t address(const void* pointer) { return reinterpret_cast<uintptr_t>(pointer); }

Status get_info(int fd, void* info, size_t size) {
  bpf_attr attr = zeroed();
  attr.info.bpf_fd = static_cast<uint32_t>(fd);
  attr.info.info_len = static_cast<uint32_t>(size);
  attr.info.info = address(info);
  return bpf(BPF_OBJ_GET_INFO_BY_FD, &attr) == 0 ? Status{} : Status::failed("BPF_OBJ_GET_INFO_BY_FD");
}

UniqueFd open_pinned(const std::string& path) {
  bpf_attr attr = zeroed();
  attr.pathname = address(path.c_str());
  return UniqueFd(bpf(BPF_OBJ_GET, &attr));
}

// The last line that says why; a line of statistics may follow it.
std::string reason(std::string_view log) {
  constexpr std::string_view kStatistics = "processed ";
  while (!log.empty()) {
    const size_t before = log.rfind('\n');
    const std::string_view line = before == std::string_view::npos ? log : log.substr(before + 1);
    if (!line.empty() && line.substr(0, kStatistics.size()) != kStatistics) return std::string(line);
    log = before == std::string_view::npos ? std::string_view() : log.substr(0, before);
  }
  return {};
}

}  // namespace

Result<UniqueFd> create_xskmap(uint32_t entries) {
  bpf_attr attr = zeroed();
  attr.map_type = BPF_MAP_TYPE_XSKMAP;
  attr.key_size = sizeof(uint32_t);
  attr.value_size = sizeof(int);
  attr.max_entries = entries;
  std::strcpy(attr.map_name, "netring_xsks");
  UniqueFd fd(bpf(BPF_MAP_CREATE, &attr));
  if (!fd) return Status::failed("BPF_MAP_CREATE");
  return fd;
}

Result<UniqueFd> open_pinned_xskmap(const std::string& path) {
  UniqueFd fd = open_pinned(path);
  if (!fd) return Status::failed("BPF_OBJ_GET");
  // Of a program or a link this would be another structure, with the hash of the program or a number of its own in
  // place of both sizes.
  bpf_map_info info{};
  if (const Status status = get_info(fd.get(), &info, sizeof info); !status.ok()) return status;
  if (info.type != BPF_MAP_TYPE_XSKMAP || info.key_size != sizeof(uint32_t) || info.value_size != sizeof(int))
    return Status{EINVAL, "BPF_OBJ_GET"};
  return fd;
}

Result<UniqueFd> open_pinned_program(const std::string& path) {
  UniqueFd fd = open_pinned(path);
  if (!fd) return Status::failed("BPF_OBJ_GET of a program");
  return fd;
}

Status set_in_map(int map_fd, uint32_t key, int socket_fd) {
  bpf_attr attr = zeroed();
  attr.map_fd = static_cast<uint32_t>(map_fd);
  attr.key = address(&key);
  attr.value = address(&socket_fd);
  return bpf(BPF_MAP_UPDATE_ELEM, &attr) == 0 ? Status{} : Status::failed("BPF_MAP_UPDATE_ELEM");
}

Status remove_from_map(int map_fd, uint32_t key) {
  bpf_attr attr = zeroed();
  attr.map_fd = static_cast<uint32_t>(map_fd);
  attr.key = address(&key);
  return bpf(BPF_MAP_DELETE_ELEM, &attr) == 0 ? Status{} : Status::failed("BPF_MAP_DELETE_ELEM");
}

Result<UniqueFd> load_xdp_program(std::span<const bpf_insn> program, std::string* log) {
  bpf_attr attr = zeroed();
  attr.prog_type = BPF_PROG_TYPE_XDP;
  attr.insns = address(program.data());
  attr.insn_cnt = static_cast<uint32_t>(program.size());
  attr.license = address("Dual MIT/GPL");
  std::strcpy(attr.prog_name, "netring_xdp");
  UniqueFd fd(bpf(BPF_PROG_LOAD, &attr));
  if (fd) return fd;
  const Status failure = Status::failed("BPF_PROG_LOAD");
  log->clear();
  // The verifier was not reached.
  if (failure.error == EPERM) return failure;
  const std::unique_ptr<char[]> buffer(new char[kLogSize]);
  buffer[0] = '\0';
  attr.log_level = 1;
  attr.log_buf = address(buffer.get());
  attr.log_size = kLogSize;
  const UniqueFd second(bpf(BPF_PROG_LOAD, &attr));
  *log = reason({buffer.get(), ::strnlen(buffer.get(), kLogSize)});
  return failure;
}

Result<uint32_t> program_id(int program_fd) {
  bpf_prog_info info{};
  if (const Status status = get_info(program_fd, &info, sizeof info); !status.ok()) return status;
  return info.id;
}

Result<UniqueFd> create_xdp_link(int program_fd, int ifindex, uint32_t flags) {
  LinkCreate argument = {static_cast<uint32_t>(program_fd), static_cast<uint32_t>(ifindex), kTypeXdp, flags};
  UniqueFd fd(bpf(kLinkCreate, &argument, sizeof argument));
  if (!fd) return Status::failed("BPF_LINK_CREATE");
  return fd;
}

Status update_link(int link_fd, int program_fd) {
  LinkUpdate argument = {static_cast<uint32_t>(link_fd), static_cast<uint32_t>(program_fd), 0, 0};
  return bpf(kLinkUpdate, &argument, sizeof argument) == 0 ? Status{} : Status::failed("BPF_LINK_UPDATE");
}

Result<uint32_t> link_interface(int link_fd) {
  LinkInfo info{};
  if (const Status status = get_info(link_fd, &info, sizeof info); !status.ok()) return status;
  return info.ifindex;
}

}  // namespace netring
