// Links of a private network namespace, changed by iproute2 while they are watched.
#include "../core/link.h"

#include <linux/if_arp.h>
#include <poll.h>

#include <algorithm>
#include <cstdlib>

#include "../core/interface_list.h"
#include "check.h"

namespace netring::test {

namespace {

using Change = LinkWatch::Change;

void shell(const std::string& command) {
  if (std::system(command.c_str()) != 0) expect_equal(false, true, command.c_str(), __LINE__);
}

// A veth pair of which only `va` is up; ends with the test.
struct Cable {
  Cable() { shell("ip link add va type veth peer name vb && ip link set va up"); }
  ~Cable() { shell("ip link del vb 2>/dev/null || true"); }
};

// The next change, awaited for at most 5 s: the kernel reports a carrier up to a second late (linkwatch).
Change next_change(LinkWatch* watch) {
  for (;;) {
    if (const Change change = watch->update(); change != Change::kNone) return change;
    pollfd readable = {watch->fd(), POLLIN, 0};
    if (::poll(&readable, 1, 5000) <= 0) return Change::kNone;
  }
}

const Interface* find(const std::vector<Interface>& list, std::string_view name) {
  const auto found = std::find_if(list.begin(), list.end(), [&](const Interface& entry) { return entry.name == name; });
  return found == list.end() ? nullptr : &*found;
}

void finds_by_name() {
  const Cable cable;
  Result<LinkInfo> link = find_link("va");
  EXPECT(link.ok());
  if (!link.ok()) return;
  EXPECT(link->name == "va");
  EXPECT_EQ(link->mtu, 1500U);
  EXPECT_EQ(link->link_type, uint16_t{ARPHRD_ETHER});
  EXPECT(link->index > 0);
}

void refuses_names_that_are_none() {
  for (const std::string& name : {std::string("nosuch"), std::string(), std::string("a/b"), std::string("."),
                                  std::string("sixteen-letters-"), std::string("a\0b", 3), std::string(5000, 'x')}) {
    const Result<LinkInfo> link = find_link(name);
    EXPECT_EQ(link.status().error, ENODEV);
    EXPECT(std::string_view(link.status().step) == "if_nametoindex");
  }
}

void a_link_without_carrier_is_down() {
  const Cable cable;
  Result<LinkWatch> watch = LinkWatch::open("va");
  EXPECT(watch.ok() && !watch->info().up());
  shell("ip link set vb up");
  EXPECT(next_change(&*watch) == Change::kUp);
  shell("ip link set vb down");
  EXPECT(next_change(&*watch) == Change::kDown);
  EXPECT(!watch->info().up());
}

void reports_the_net_change() {
  const Cable cable;
  shell("ip link set vb up");
  Result<LinkWatch> watch = LinkWatch::open("va");
  shell("ip link set va down; ip link set va up");
  EXPECT(watch->update() == Change::kNone);
  EXPECT(watch->info().up());
}

void follows_rename_and_mtu() {
  const Cable cable;
  Result<LinkWatch> watch = LinkWatch::open("va");
  shell("ip link set va mtu 1400; ip link set va down; ip link set va name vc; ip link set vc up");
  EXPECT(watch->update() == Change::kNone);
  EXPECT(watch->info().name == "vc");
  EXPECT_EQ(watch->info().mtu, 1400U);
}

void gone_is_reported_once_and_final() {
  const Cable cable;
  Result<LinkWatch> watch = LinkWatch::open("va");
  shell("ip link del va; ip link add va type veth peer name vb; ip link set va up; ip link set vb up");
  EXPECT(watch->update() == Change::kGone);
  EXPECT(watch->gone());
  EXPECT(!watch->info().up());
  EXPECT(watch->update() == Change::kNone);
}

void moving_to_another_namespace_is_gone() {
  const Cable cable;
  Result<LinkWatch> watch = LinkWatch::open("va");
  shell(
      "unshare -n sleep 5 & holder=$!; "
      "until [ \"$(readlink /proc/$holder/ns/net)\" != \"$(readlink /proc/self/ns/net)\" ]; do sleep 0.01; done; "
      "ip link set va netns $holder; kill $holder");
  EXPECT(watch->update() == Change::kGone);
}

void leaving_a_bridge_is_not_gone() {
  const Cable cable;
  Result<LinkWatch> watch = LinkWatch::open("va");
  shell("ip link add br0 type bridge && ip link set va master br0 && ip link set va nomaster && ip link del br0");
  EXPECT(watch->update() == Change::kNone);
  EXPECT(!watch->gone());
}

void survives_an_overrun() {
  const Cable cable;
  shell("ip link set vb up");
  Result<LinkWatch> watch = LinkWatch::open("va");
  // More notifications than the socket's buffer holds, and the one that matters among those that were lost.
  shell(
      "for i in $(seq 1500); do echo link set vb mtu $((1400 + i % 2)); done > /tmp/batch.$$; ip -batch /tmp/batch.$$; "
      "rm /tmp/batch.$$; ip link set vb down");
  EXPECT(next_change(&*watch) == Change::kDown);
  shell("ip link set vb up");
  EXPECT(next_change(&*watch) == Change::kUp);
}

void a_deletion_survives_an_overrun() {
  const Cable cable;
  Result<LinkWatch> watch = LinkWatch::open("va");
  shell(
      "for i in $(seq 1500); do echo link set vb mtu $((1400 + i % 2)); done > /tmp/batch.$$; ip -batch /tmp/batch.$$; "
      "rm /tmp/batch.$$; ip link del va");
  EXPECT(next_change(&*watch) == Change::kGone);
}

void lists_interfaces() {
  const Cable cable;
  shell("ip link set lo up; ip link set vb address 02:00:00:00:ab:cd mtu 9000");
  Result<std::vector<Interface>> list = list_interfaces();
  EXPECT(list.ok());
  if (!list.ok()) return;
  const Interface* loopback = find(*list, "lo");
  const Interface* cable_end = find(*list, "vb");
  EXPECT(loopback != nullptr && cable_end != nullptr);
  if (loopback == nullptr || cable_end == nullptr) return;
  EXPECT_EQ(loopback->link_type, uint16_t{ARPHRD_LOOPBACK});
  EXPECT(loopback->carrier);
  EXPECT(cable_end->address == "02:00:00:00:ab:cd");
  EXPECT(cable_end->driver == "veth");
  EXPECT_EQ(cable_end->mtu, 9000U);
  EXPECT(!cable_end->carrier);
  EXPECT_EQ(cable_end->queues, 1U);
  EXPECT(!cable_end->default_route);
}

bool has_default_route(const char* name) {
  Result<std::vector<Interface>> list = list_interfaces();
  const Interface* entry = list.ok() ? find(*list, name) : nullptr;
  return entry != nullptr && entry->default_route;
}

void knows_default_routes() {
  const Cable cable;
  shell("ip link set vb up; ip addr add 192.0.2.1/24 dev va; ip route add 198.51.100.0/24 dev va");
  shell("ip route add unreachable default metric 9999; ip route add default dev vb table 77");
  EXPECT(!has_default_route("va"));
  EXPECT(!has_default_route("vb"));
  EXPECT(!has_default_route("lo"));
  shell("ip route add default via 192.0.2.2 dev va");
  EXPECT(has_default_route("va"));
  EXPECT(!has_default_route("vb"));
}

void knows_default_routes_of_several_paths() {
  const Cable cable;
  shell("ip link set vb up; ip addr add 192.0.2.1/24 dev va; ip addr add 203.0.113.1/24 dev vb");
  shell("ip route add default nexthop via 192.0.2.2 dev va nexthop via 203.0.113.2 dev vb");
  EXPECT(has_default_route("va"));
  EXPECT(has_default_route("vb"));
}

void knows_ipv6_default_routes() {
  if (std::system("test -d /proc/sys/net/ipv6") != 0) return;
  const Cable cable;
  shell("ip link set vb up; ip -6 addr add 2001:db8::1/64 dev va nodad");
  shell("ip -6 route add unreachable default dev lo metric 9999 2>/dev/null || true");
  EXPECT(!has_default_route("lo"));
  shell("ip -6 route add default via 2001:db8::2 dev va");
  EXPECT(has_default_route("va"));
}

}  // namespace

}  // namespace netring::test

int main() {
  using namespace netring::test;
  return run_all({
      {"finds_by_name", finds_by_name},
      {"refuses_names_that_are_none", refuses_names_that_are_none},
      {"a_link_without_carrier_is_down", a_link_without_carrier_is_down},
      {"reports_the_net_change", reports_the_net_change},
      {"follows_rename_and_mtu", follows_rename_and_mtu},
      {"gone_is_reported_once_and_final", gone_is_reported_once_and_final},
      {"moving_to_another_namespace_is_gone", moving_to_another_namespace_is_gone},
      {"leaving_a_bridge_is_not_gone", leaving_a_bridge_is_not_gone},
      {"survives_an_overrun", survives_an_overrun},
      {"a_deletion_survives_an_overrun", a_deletion_survives_an_overrun},
      {"lists_interfaces", lists_interfaces},
      {"knows_default_routes", knows_default_routes},
      {"knows_default_routes_of_several_paths", knows_default_routes_of_several_paths},
      {"knows_ipv6_default_routes", knows_ipv6_default_routes},
  });
}
