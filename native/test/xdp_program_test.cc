// XDP programs attached to interfaces of a private network namespace, beside those of others.
#include <net/if.h>
#include <sys/mount.h>
#include <sys/socket.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "../core/xdp/program.h"
#include "../core/xdp/redirect_program.h"
#include "check.h"
#include "xdp_run.h"

namespace netring::test {
namespace {

using Attach = XdpProgram::Attach;

constexpr sock_filter kNothing[] = {{BPF_RET | BPF_K, 0, 0, 0}};

void shell(const std::string& command) {
  if (std::system(command.c_str()) != 0) expect_equal(false, true, command.c_str(), __LINE__);
}

// A veth pair, gone with the test.
struct Cable {
  explicit Cable(const std::string& mtu = "1500") {
    shell("ip link add va mtu " + mtu + " type veth peer name vb mtu " + mtu + " && ip link set va up");
    index = static_cast<int>(::if_nametoindex("va"));
  }
  ~Cable() { shell("ip link del va 2>/dev/null || true"); }
  int index = 0;
};

XdpProgram program() { return std::move(*XdpProgram::create(4)); }

// Detaches as `bpftool link detach` does: whoever may use bpf(2) finds every link by its id.
bool detach_from_outside(uint32_t program_id) {
  bpf_attr next = no_arguments();
  while (call_bpf(BPF_LINK_GET_NEXT_ID, &next) == 0) {
    bpf_attr open = no_arguments();
    open.link_id = next.next_id;
    const UniqueFd link(call_bpf(BPF_LINK_GET_FD_BY_ID, &open));
    bpf_link_info link_info{};
    bpf_attr info = no_arguments();
    info.info.bpf_fd = static_cast<uint32_t>(link.get());
    info.info.info_len = sizeof link_info;
    info.info.info = reinterpret_cast<uintptr_t>(&link_info);
    if (call_bpf(BPF_OBJ_GET_INFO_BY_FD, &info) == 0 && link_info.prog_id == program_id) {
      bpf_attr detach = no_arguments();
      detach.link_detach.link_fd = static_cast<uint32_t>(link.get());
      return call_bpf(BPF_LINK_DETACH, &detach) == 0;
    }
    next.start_id = next.next_id;
  }
  return false;
}

void is_attached_as_long_as_it_lives() {
  if (!may_use_bpf()) return;
  const Cable cable;
  for (const Attach how : {Attach::kAuto, Attach::kDriver, Attach::kSkb}) {
    {
      XdpProgram xdp = program();
      EXPECT(!xdp.attached());
      EXPECT(xdp.mode() == Attach::kNone);
      EXPECT_EQ(xdp.attach(cable.index, how, {}).error, 0);
      EXPECT(xdp.attached());
      EXPECT(xdp.mode() == (how == Attach::kSkb ? Attach::kSkb : Attach::kDriver));
      EXPECT(xdp.id() != 0);
      EXPECT_EQ(foreign_program(cable.index), xdp.id());
      const XdpProgram moved = std::move(xdp);
      EXPECT(moved.attached());
    }
    EXPECT_EQ(foreign_program(cable.index), 0U);
  }
}

void attaches_nothing_when_told_so() {
  if (!may_use_bpf()) return;
  const Cable cable;
  XdpProgram xdp = program();
  EXPECT(xdp.attach(cable.index, Attach::kNone, {}).ok());
  EXPECT(!xdp.attached());
  EXPECT_EQ(xdp.id(), 0U);
  EXPECT_EQ(foreign_program(cable.index), 0U);
}

// lo has no driver that knows XDP; that of veth cannot when frames may be longer than a page.
void auto_goes_on_to_skb_where_the_driver_cannot() {
  if (!may_use_bpf()) return;
  const Cable jumbo("9000");
  const std::pair<int, int> cases[] = {{static_cast<int>(::if_nametoindex("lo")), EOPNOTSUPP}, {jumbo.index, ERANGE}};
  for (const auto& [index, error] : cases) {
    XdpProgram xdp = program();
    const Status refused = xdp.attach(index, Attach::kDriver, {});
    EXPECT_EQ(refused.error, error);
    EXPECT(std::string(refused.step) == "BPF_LINK_CREATE");
    EXPECT(xdp.mode() == Attach::kNone);
    EXPECT_EQ(xdp.id(), 0U);
    EXPECT_EQ(foreign_program(index), 0U);
    EXPECT_EQ(xdp.attach(index, Attach::kAuto, {}).error, 0);
    EXPECT(xdp.mode() == Attach::kSkb);
    EXPECT_EQ(foreign_program(index), xdp.id());
  }
}

void leaves_a_foreign_program_alone() {
  if (!may_use_bpf()) return;
  const Cable cable;
  for (const Attach theirs : {Attach::kDriver, Attach::kSkb}) {
    XdpProgram foreign = program();
    EXPECT(foreign.attach(cable.index, theirs, kNothing).ok());
    for (const Attach ours : {Attach::kAuto, Attach::kDriver, Attach::kSkb}) {
      XdpProgram xdp = program();
      const bool same = ours == theirs || (ours == Attach::kAuto && theirs == Attach::kDriver);
      EXPECT_EQ(xdp.attach(cable.index, ours, {}).error, same ? EBUSY : EEXIST);
      EXPECT(!xdp.attached());
      EXPECT_EQ(foreign_program(cable.index), foreign.id());
    }
    EXPECT(foreign.attached());
  }
}

void replaces_its_program_in_place() {
  if (!may_use_bpf()) return;
  const Cable cable;
  XdpProgram xdp = program();
  EXPECT(!xdp.replace(kNothing).ok());
  EXPECT_EQ(xdp.attach(cable.index, Attach::kSkb, {}).error, 0);
  const uint32_t before = xdp.id();
  EXPECT_EQ(xdp.replace(kNothing).error, 0);
  EXPECT(xdp.id() != before);
  EXPECT_EQ(foreign_program(cable.index), xdp.id());
  // What cannot be loaded leaves the one before.
  const uint32_t current = xdp.id();
  const sock_filter broken[] = {{BPF_LD | BPF_IMM, 0, 0, 0}};
  const Status refused = xdp.replace(broken);
  EXPECT_EQ(refused.error, EINVAL);
  EXPECT(std::string(refused.step) == "filter");
  EXPECT_EQ(foreign_program(cable.index), current);
}

void notices_that_it_was_detached() {
  if (!may_use_bpf()) return;
  const Cable cable;
  XdpProgram xdp = program();
  EXPECT(xdp.attach(cable.index, Attach::kDriver, {}).ok());
  EXPECT(detach_from_outside(xdp.id()));
  EXPECT(!xdp.attached());
  EXPECT_EQ(foreign_program(cable.index), 0U);
  EXPECT_EQ(xdp.replace(kNothing).error, ENOLINK);
  // And can be attached again.
  EXPECT_EQ(xdp.attach(cable.index, Attach::kDriver, {}).error, 0);
  EXPECT(xdp.attached());
  shell("ip link del va");
  EXPECT(!xdp.attached());
  EXPECT(!xdp.attach(cable.index, Attach::kAuto, {}).ok());
}

void holds_sockets_in_its_map() {
  if (!may_use_bpf()) return;
  const UniqueFd socket(::socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0));
  EXPECT(static_cast<bool>(socket));
  XdpProgram xdp = program();
  EXPECT_EQ(xdp.insert(3, socket.get()).error, 0);
  EXPECT_EQ(xdp.remove(3).error, 0);
  const Status beyond = xdp.insert(4, socket.get());
  EXPECT_EQ(beyond.error, E2BIG);
  EXPECT(std::string(beyond.step) == "BPF_MAP_UPDATE_ELEM");
  const UniqueFd other(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  EXPECT(!xdp.insert(0, other.get()).ok());
}

bool pin(int fd, const std::string& path) {
  bpf_attr attr = no_arguments();
  attr.pathname = reinterpret_cast<uintptr_t>(path.c_str());
  attr.bpf_fd = static_cast<uint32_t>(fd);
  return call_bpf(BPF_OBJ_PIN, &attr) == 0;
}

void opens_a_pinned_map() {
  if (!may_use_bpf()) return;
  char folder[] = "/tmp/netring-bpf-XXXXXX";
  EXPECT(::mkdtemp(folder) != nullptr);
  EXPECT_EQ(::mount("bpf", folder, "bpf", 0, nullptr), 0);
  const std::string prefix = std::string(folder) + "/";
  Result<UniqueFd> map = create_xskmap(2);
  std::string log;
  Result<UniqueFd> loaded = load_xdp_program(*redirect_program({}, map->get()), &log);
  EXPECT(pin(map->get(), prefix + "map"));
  EXPECT(pin(loaded->get(), prefix + "program"));

  Result<XdpProgram> xdp = XdpProgram::open_pinned(prefix + "map");
  EXPECT_EQ(xdp.status().error, 0);
  const UniqueFd socket(::socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0));
  EXPECT_EQ(xdp->insert(1, socket.get()).error, 0);
  EXPECT_EQ(xdp->insert(2, socket.get()).error, E2BIG);
  EXPECT(!xdp->attached());
  EXPECT_EQ(XdpProgram::open_pinned(prefix + "program").status().error, EINVAL);
  EXPECT_EQ(XdpProgram::open_pinned(prefix + "nothing").status().error, ENOENT);
  EXPECT(!XdpProgram::open_pinned("/dev/null").ok());

  EXPECT_EQ(::umount(folder), 0);
  EXPECT_EQ(::rmdir(folder), 0);
}

void attaches_a_filter_as_long_as_filters_get() {
  if (!may_use_bpf()) return;
  const Cable cable;
  std::vector<sock_filter> filter(BPF_MAXINSNS - 1, {BPF_LD | BPF_H | BPF_ABS, 0, 0, 12});
  filter.push_back({BPF_RET | BPF_A, 0, 0, 0});
  XdpProgram xdp = program();
  EXPECT_EQ(xdp.attach(cable.index, Attach::kAuto, filter).error, 0);
  EXPECT(xdp.last_log().empty());
}

}  // namespace
}  // namespace netring::test

int main() {
  using namespace netring::test;
  return run_all({
      {"is_attached_as_long_as_it_lives", is_attached_as_long_as_it_lives},
      {"attaches_nothing_when_told_so", attaches_nothing_when_told_so},
      {"auto_goes_on_to_skb_where_the_driver_cannot", auto_goes_on_to_skb_where_the_driver_cannot},
      {"leaves_a_foreign_program_alone", leaves_a_foreign_program_alone},
      {"replaces_its_program_in_place", replaces_its_program_in_place},
      {"notices_that_it_was_detached", notices_that_it_was_detached},
      {"holds_sockets_in_its_map", holds_sockets_in_its_map},
      {"opens_a_pinned_map", opens_a_pinned_map},
      {"attaches_a_filter_as_long_as_filters_get", attaches_a_filter_as_long_as_filters_get},
  });
}
