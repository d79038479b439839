#include "umem.h"

#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <bit>

#include "../packet_socket.h"

namespace netring {

namespace {

// Completions looked at before the kernel is told that they were read.
constexpr uint32_t kReapChunk = 64;

// What is pinned counts against RLIMIT_MEMLOCK unless the process has CAP_IPC_LOCK (xdp_umem_account_pages). The soft
// limit is a default, the hard one is what the administrator has set.
bool raise_memory_lock_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_MEMLOCK, &limit) != 0 || limit.rlim_cur >= limit.rlim_max) return false;
  limit.rlim_cur = limit.rlim_max;
  return ::setrlimit(RLIMIT_MEMLOCK, &limit) == 0;
}

Status register_memory(int fd, const Mapping& memory, uint32_t frame_size) {
  xdp_umem_reg registration{};
  registration.addr = reinterpret_cast<uintptr_t>(memory.data());
  registration.len = memory.size();
  registration.chunk_size = frame_size;
  if (::setsockopt(fd, SOL_XDP, XDP_UMEM_REG, &registration, sizeof registration) == 0) return {};
  if (errno == ENOBUFS && raise_memory_lock_limit() &&
      ::setsockopt(fd, SOL_XDP, XDP_UMEM_REG, &registration, sizeof registration) == 0)
    return {};
  return Status::failed("XDP_UMEM_REG");
}

}  // namespace

template <typename Entry>
Result<Mapping> map_ring(int fd, int option, const char* name, uint64_t page_offset,
                         xdp_ring_offset xdp_mmap_offsets::*part, uint32_t entries, RingMemory<Entry>* ring) {
  const uint32_t size = std::bit_ceil(std::max(entries, 1U));
  if (const Status s = set_option(fd, SOL_XDP, option, static_cast<int>(size), name); !s.ok()) return s;
  xdp_mmap_offsets offsets{};
  socklen_t length = sizeof offsets;
  if (::getsockopt(fd, SOL_XDP, XDP_MMAP_OFFSETS, &offsets, &length) != 0) return Status::failed("XDP_MMAP_OFFSETS");
  // Before Linux 5.4 the ring had no flags, and the kernel answers with less.
  if (length != sizeof offsets) return Status{EOPNOTSUPP, "XDP_MMAP_OFFSETS"};
  const size_t bytes = (offsets.*part).desc + static_cast<size_t>(size) * sizeof(Entry);
  void* memory =
      ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, static_cast<off_t>(page_offset));
  if (memory == MAP_FAILED) return Status::failed("mmap");
  *ring = RingMemory<Entry>(static_cast<uint8_t*>(memory), offsets.*part, size);
  return Mapping(static_cast<uint8_t*>(memory), bytes);
}

template Result<Mapping> map_ring<uint64_t>(int, int, const char*, uint64_t, xdp_ring_offset xdp_mmap_offsets::*,
                                            uint32_t, RingMemory<uint64_t>*);
template Result<Mapping> map_ring<xdp_desc>(int, int, const char*, uint64_t, xdp_ring_offset xdp_mmap_offsets::*,
                                            uint32_t, RingMemory<xdp_desc>*);

Umem::Umem(std::shared_ptr<Mapping> memory, const UmemGeometry& geometry)
    : memory_(std::move(memory)),
      geometry_(geometry),
      owners_(geometry.receiving, geometry.sending),
      pool_(geometry.receiving, geometry.sending) {}

Result<std::shared_ptr<Umem>> Umem::create(int fd, const UmemGeometry& geometry) {
  void* memory =
      ::mmap(nullptr, geometry.bytes(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (memory == MAP_FAILED) return Status::failed("mmap");
  std::shared_ptr<Umem> umem(
      new Umem(std::make_shared<Mapping>(static_cast<uint8_t*>(memory), geometry.bytes()), geometry));
  if (const Status s = register_memory(fd, *umem->memory_, geometry.frame_size); !s.ok()) return s;
  if (const Status s = umem->set_up_rings(fd); !s.ok()) return s;
  return umem;
}

// The fill ring holds every receiving frame and the completion ring every sending one, so that neither is ever full.
Status Umem::set_up_rings(int fd) {
  RingMemory<uint64_t> ring;
  Result<Mapping> fill = map_ring(fd, XDP_UMEM_FILL_RING, "XDP_UMEM_FILL_RING", XDP_UMEM_PGOFF_FILL_RING,
                                  &xdp_mmap_offsets::fr, geometry_.receiving, &ring);
  if (!fill.ok()) return fill.status();
  fill_memory_ = std::move(*fill);
  fill_ = ProducerRing<uint64_t>(ring);
  Result<Mapping> completion =
      map_ring(fd, XDP_UMEM_COMPLETION_RING, "XDP_UMEM_COMPLETION_RING", XDP_UMEM_PGOFF_COMPLETION_RING,
               &xdp_mmap_offsets::cr, geometry_.sending, &ring);
  if (!completion.ok()) return completion.status();
  completion_memory_ = std::move(*completion);
  completion_ = ConsumerRing<uint64_t>(ring);
  return {};
}

void Umem::fill_all() {
  for (uint32_t frame = 0; frame < geometry_.receiving; ++frame) refill(frame);
  submit_fill();
}

void Umem::refill(uint32_t frame) {
  owners_.pass(frame, FrameOwner::kReceived, FrameOwner::kFilling);
  fill_.put(address(frame));
}

void Umem::reap() {
  for (;;) {
    const uint32_t count = std::min(completion_.available(kReapChunk), kReapChunk);
    if (count == 0) return;
    for (uint32_t i = 0; i < count; ++i) {
      const uint64_t frame = frame_of(completion_.at(i));
      if (frame < geometry_.receiving || frame >= geometry_.frames()) continue;
      end_sending(static_cast<uint32_t>(frame));
    }
    completion_.release(count);
  }
}

uint32_t Umem::take_frame(FrameOwner owner) {
  const uint32_t frame = pool_.take();
  owners_.pass(frame, FrameOwner::kPool, owner);
  if (owner == FrameOwner::kSending) ++in_flight_;
  return frame;
}

void Umem::give_back(uint32_t frame, FrameOwner owner) {
  owners_.pass(frame, owner, FrameOwner::kPool);
  pool_.give_back(frame);
}

}  // namespace netring
