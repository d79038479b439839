#include "receive_ring.h"

#include <sys/mman.h>
#include <sys/socket.h>

#include <algorithm>

namespace netring {

Result<Mapping> map_receive_ring(int fd, tpacket_req3* request, size_t request_size,
                                 std::vector<std::string>* warnings) {
  const uint32_t wanted = request->tp_block_nr;
  const uint32_t least = std::max(wanted / 4, 1U);
  for (uint32_t count = wanted;; count = std::max(count * 3 / 4, least)) {
    request->tp_block_nr = count;
    request->tp_frame_nr = request->tp_block_size / request->tp_frame_size * count;
    if (::setsockopt(fd, SOL_PACKET, PACKET_RX_RING, request, static_cast<socklen_t>(request_size)) == 0) break;
    if (errno != ENOMEM || count == least) return Status::failed("PACKET_RX_RING");
  }
  if (request->tp_block_nr != wanted)
    warnings->push_back("ring of " + std::to_string(request->tp_block_nr) + " instead of " + std::to_string(wanted) +
                        " blocks: not enough memory");
  // No MAP_LOCKED: ring pages are the kernel's and never swapped, and the flag would only demand CAP_IPC_LOCK.
  const size_t size = static_cast<size_t>(request->tp_block_size) * request->tp_block_nr;
  void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) return Status::failed("mmap");
  return Mapping(static_cast<uint8_t*>(memory), size);
}

}  // namespace netring
