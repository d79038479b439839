#include "ethtool.h"

#include <linux/ethtool.h>
#include <linux/if.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cstring>

namespace netring {

namespace {

// Interface requests work on any socket, the netlink one as well; an AF_INET one would need IPv4 in the kernel.
bool ethtool(int fd, const std::string& name, void* command) {
  ifreq request{};
  std::memcpy(request.ifr_name, name.data(), std::min<size_t>(name.size(), IFNAMSIZ - 1));
  request.ifr_data = command;
  return ::ioctl(fd, SIOCETHTOOL, &request) == 0;
}

// All 0 when the driver does not say.
ethtool_channels read_channels(int fd, const std::string& name) {
  ethtool_channels channels{};
  channels.cmd = ETHTOOL_GCHANNELS;
  if (!ethtool(fd, name, &channels)) channels = {};
  return channels;
}

// 0 when the driver does not say.
uint32_t read_value(int fd, const std::string& name, uint32_t command) {
  ethtool_value value{};
  value.cmd = command;
  return ethtool(fd, name, &value) ? value.data : 0;
}

uint32_t at_least_one(uint32_t used, uint32_t at_most) { return std::max<uint32_t>(used > 0 ? used : at_most, 1); }

}  // namespace

uint32_t read_speed(int fd, const std::string& name) {
  // Room for the link mode bitmaps behind the struct: three of at most 127 words.
  alignas(ethtool_link_settings) uint8_t memory[sizeof(ethtool_link_settings) + 3 * 127 * sizeof(uint32_t)] = {};
  auto* link = reinterpret_cast<ethtool_link_settings*>(memory);
  link->cmd = ETHTOOL_GLINKSETTINGS;
  // The first call answers with the negated number of bitmap words, the second one with the settings.
  if (!ethtool(fd, name, link) || link->link_mode_masks_nwords >= 0) return 0;
  link->link_mode_masks_nwords = static_cast<int8_t>(-link->link_mode_masks_nwords);
  link->cmd = ETHTOOL_GLINKSETTINGS;
  if (!ethtool(fd, name, link)) return 0;
  // Drivers of the older call have no more than 16 bits for "unknown".
  const bool unknown = link->speed == static_cast<uint32_t>(SPEED_UNKNOWN) || link->speed == UINT16_MAX;
  return unknown ? 0 : link->speed;
}

std::string read_driver(int fd, const std::string& name) {
  ethtool_drvinfo info{};
  info.cmd = ETHTOOL_GDRVINFO;
  if (!ethtool(fd, name, &info)) return "";
  return {info.driver, ::strnlen(info.driver, sizeof info.driver)};
}

uint32_t queues_in_use(int fd, const std::string& name, uint32_t at_most) {
  const ethtool_channels channels = read_channels(fd, name);
  return at_least_one(channels.rx_count + channels.combined_count, at_most);
}

uint32_t send_queues_in_use(int fd, const std::string& name, uint32_t at_most) {
  const ethtool_channels channels = read_channels(fd, name);
  return at_least_one(channels.tx_count + channels.combined_count, at_most);
}

uint32_t combined_queues_in_use(int fd, const std::string& name) { return read_channels(fd, name).combined_count; }

OffloadFlags read_offloads(int fd, const std::string& name) {
  const uint32_t flags = read_value(fd, name, ETHTOOL_GFLAGS);
  return {.vlan_stripping = (flags & ETH_FLAG_RXVLAN) != 0,
          .large_receive = (flags & ETH_FLAG_LRO) != 0,
          .generic_receive = read_value(fd, name, ETHTOOL_GGRO) != 0,
          .generic_segmentation = read_value(fd, name, ETHTOOL_GGSO) != 0,
          .tcp_segmentation = read_value(fd, name, ETHTOOL_GTSO) != 0,
          .receive_checksum = read_value(fd, name, ETHTOOL_GRXCSUM) != 0,
          .send_checksum = read_value(fd, name, ETHTOOL_GTXCSUM) != 0};
}

}  // namespace netring
