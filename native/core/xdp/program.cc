#include "program.h"

#include <linux/if_link.h>
#include <sys/socket.h>

#include <utility>
#include <vector>

#include "../bpf_syscall.h"
#include "../netlink.h"
#include "redirect_program.h"

namespace netring {

namespace {

constexpr uint32_t kLinkSequence = 1;

// Another program in either mode: the other mode would only run ours beside it.
bool is_occupied(const Status& status) { return status.error == EBUSY || status.error == EEXIST; }

uint32_t flags_of(XdpProgram::Attach mode) {
  return mode == XdpProgram::Attach::kSkb ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE;
}

}  // namespace

Result<XdpProgram> XdpProgram::create(uint32_t map_entries) {
  Result<UniqueFd> map = create_xskmap(map_entries);
  if (!map.ok()) return map.status();
  return XdpProgram(std::move(*map));
}

Result<XdpProgram> XdpProgram::open_pinned(const std::string& path) {
  Result<UniqueFd> map = open_pinned_xskmap(path);
  if (!map.ok()) return map.status();
  return XdpProgram(std::move(*map));
}

Status XdpProgram::insert(uint32_t queue, int socket_fd) { return set_in_map(map_.get(), queue, socket_fd); }

Status XdpProgram::remove(uint32_t queue) { return remove_from_map(map_.get(), queue); }

Status XdpProgram::attach(int ifindex, Attach how, std::span<const sock_filter> filter) {
  if (how == Attach::kNone) return {};
  Result<UniqueFd> program = load(filter);
  if (!program.ok()) return program.status();
  Result<uint32_t> id = program_id(program->get());
  if (!id.ok()) return id.status();
  Attach mode = how == Attach::kSkb ? Attach::kSkb : Attach::kDriver;
  Result<UniqueFd> link = create_xdp_link(program->get(), ifindex, flags_of(mode));
  // Drivers say in many ways that they cannot: EOPNOTSUPP, EINVAL, ERANGE for the MTU, ENOSPC for their queues.
  if (how == Attach::kAuto && !link.ok() && !is_occupied(link.status())) {
    mode = Attach::kSkb;
    link = create_xdp_link(program->get(), ifindex, flags_of(mode));
  }
  if (!link.ok()) return link.status();
  link_ = std::move(*link);
  mode_ = mode;
  id_ = *id;
  return {};
}

Status XdpProgram::replace(std::span<const sock_filter> filter) {
  Result<UniqueFd> program = load(filter);
  if (!program.ok()) return program.status();
  Result<uint32_t> id = program_id(program->get());
  if (!id.ok()) return id.status();
  if (const Status status = update_link(link_.get(), program->get()); !status.ok()) return status;
  id_ = *id;
  return {};
}

bool XdpProgram::attached() const {
  if (!link_) return false;
  Result<uint32_t> interface = link_interface(link_.get());
  return interface.ok() && *interface != 0;
}

Result<UniqueFd> XdpProgram::load(std::span<const sock_filter> filter) {
  last_log_.clear();
  Result<std::vector<bpf_insn>> program = redirect_program(filter, map_.get());
  if (!program.ok()) return program.status();
  return load_xdp_program(*program, &last_log_);
}

uint32_t foreign_program(int ifindex) {
  Result<UniqueFd> socket = open_route_socket(0);
  if (!socket.ok()) return 0;
  ifinfomsg body{};
  body.ifi_family = AF_UNSPEC;
  body.ifi_index = ifindex;
  const std::span<const uint8_t> request(reinterpret_cast<const uint8_t*>(&body), sizeof body);
  if (!send_request(socket->get(), RTM_GETLINK, 0, kLinkSequence, request).ok()) return 0;
  uint32_t id = 0;
  const auto read = [&id](const nlmsghdr& message) {
    if (message.nlmsg_seq != kLinkSequence) return true;
    if (message.nlmsg_type != RTM_NEWLINK) return false;
    const std::span<const uint8_t> xdp = MessageView(message, sizeof(ifinfomsg)).find(IFLA_XDP);
    const MessageView programs(xdp.data(), xdp.size());
    // The first stands for the only one; with several, each stands under its mode.
    for (const uint16_t type : {IFLA_XDP_PROG_ID, IFLA_XDP_DRV_PROG_ID, IFLA_XDP_SKB_PROG_ID, IFLA_XDP_HW_PROG_ID}) {
      if (id == 0) id = programs.u32(type, 0);
    }
    return false;
  };
  return read_messages(socket->get(), read).ok() ? id : 0;
}

}  // namespace netring
