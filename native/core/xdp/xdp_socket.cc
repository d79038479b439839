#include "xdp_socket.h"

#include <poll.h>
#include <sys/epoll.h>

#include <algorithm>

#include "../clock.h"
#include "../ethtool.h"
#include "../packet_socket.h"

namespace netring {

namespace {

// Entries of the map of a program that sockets share: an interface may come to have more queues while it is attached.
constexpr uint32_t kLeastMapEntries = 64;

bool same_filter(std::span<const sock_filter> a, std::span<const sock_filter> b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const sock_filter& x, const sock_filter& y) {
    return x.code == y.code && x.jt == y.jt && x.jf == y.jf && x.k == y.k;
  });
}

}  // namespace

Result<std::unique_ptr<XdpSocket>> XdpSocket::open(XdpConfig config, SharedPrograms* programs, XdpSocket* primary,
                                                   std::string* detail) {
  Result<LinkWatch> link = LinkWatch::open(config.interface);
  if (!link.ok()) return link.status();
  std::unique_ptr<XdpSocket> socket(new XdpSocket(std::move(*link), programs));
  if (const Status s = socket->open_queues(config, primary); !s.ok()) return s;
  if (config.promiscuous) {
    Result<UniqueFd> membership = open_packet_socket();
    if (!membership.ok()) return membership.status();
    socket->membership_ = std::move(*membership);
    const Status s = set_promiscuous(socket->membership_.get(), socket->link_.info().index, true);
    if (!s.ok()) return s;
  }
  // The program last: no frame is taken from the kernel before there is somebody to receive it.
  if (config.rx_frames != 0 && primary == nullptr) {
    if (const Status s = socket->use_program(&config, detail); !s.ok()) return s;
    socket->warn_of_offloads();
  }
  return socket;
}

// All queues receive, the first one sends as well, so that frames of one sender keep their order.
Status XdpSocket::open_queues(const XdpConfig& config, const XdpSocket* primary) {
  XdpQueueConfig queue;
  queue.ifindex = link_.info().index;
  queue.frames = {config.frame_size, config.rx_frames, config.frame_count - config.rx_frames};
  queue.need_wakeup = config.need_wakeup;
  queue.bind_mode = config.bind_mode;
  // Drivers send without a copy only while a program of the interface's is there.
  if (config.rx_frames == 0 && config.bind_mode == BindMode::kAuto) queue.bind_mode = BindMode::kCopy;
  queue.busy_poll = config.busy_poll;
  const bool all = config.queue == XdpConfig::kAllQueues;
  const uint32_t first = all ? 0 : static_cast<uint32_t>(config.queue);
  const uint32_t end = all ? std::max(link_.queues(), 1U) : first + 1;
  // The kernel would bind a queue that only receives, and then take frames to send and do nothing.
  if (queue.frames.sending != 0 && first >= link_.send_queues()) return {EINVAL, "queueId"};
  for (queue.queue = first; queue.queue < end; ++queue.queue) {
    const XdpQueue* shared = primary == nullptr ? nullptr : primary->queues_.front().get();
    Result<std::unique_ptr<XdpQueue>> opened = XdpQueue::open(queue, shared);
    if (!opened.ok()) return opened.status();
    queues_.push_back(std::move(*opened));
    queue.frames.sending = 0;
    if (config.rx_frames == 0) break;
  }
  refilter_.resize(queues_.size());
  return queues_.size() == 1 ? Status{} : watch_queues();
}

Status XdpSocket::watch_queues() {
  epoll_ = UniqueFd(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll_) return Status::failed("epoll_create1");
  for (const auto& queue : queues_) {
    epoll_event event{};
    event.events = EPOLLIN;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, queue->fd(), &event) != 0) return Status::failed("epoll_ctl");
  }
  return {};
}

Status XdpSocket::use_program(XdpConfig* config, std::string* detail) {
  const int ifindex = link_.info().index;
  if (config->attach == XdpProgram::Attach::kNone) {
    if (config->map_pin.empty()) return {};
    Result<XdpProgram> pinned = XdpProgram::open_pinned(config->map_pin);
    if (!pinned.ok()) return pinned.status();
    auto outside = std::make_shared<SharedProgram>(SharedProgram{std::move(*pinned), {}, 0});
    if (const Status s = insert_queues(outside.get()); !s.ok()) return s;
    program_ = std::move(outside);
    return {};
  }
  const std::shared_ptr<SharedProgram> shared = programs_->find(ifindex);
  if (shared && shared->program.attached()) return share_program(*config, shared);
  const uint32_t entries = std::max(link_.info().queues, queues_.back()->id() + 1);
  Result<XdpProgram> program = XdpProgram::create(std::max(entries, kLeastMapEntries));
  if (!program.ok()) return program.status();
  auto own = std::make_shared<SharedProgram>(SharedProgram{std::move(*program), {}, 0});
  if (const Status s = insert_queues(own.get()); !s.ok()) return s;
  if (const Status s = own->program.attach(ifindex, config->attach, config->filter); !s.ok()) {
    *detail = own->program.last_log();
    const uint32_t other = s.error == EBUSY || s.error == EEXIST ? foreign_program(ifindex) : 0;
    if (other != 0) *detail = "program " + std::to_string(other) + " is attached";
    return s;
  }
  own->filter = std::move(config->filter);
  programs_->add(ifindex, own);
  program_ = std::move(own);
  program_is_ours_ = true;
  if (config->attach == XdpProgram::Attach::kAuto && attach_mode() == XdpProgram::Attach::kSkb)
    warnings_.push_back("the driver of " + link_.info().name +
                        " cannot run the program: frames take the slower way (skb)");
  return {};
}

Status XdpSocket::share_program(const XdpConfig& config, const std::shared_ptr<SharedProgram>& program) {
  if (!same_filter(program->filter, config.filter)) return {EEXIST, "filter of the shared program"};
  if (config.attach != XdpProgram::Attach::kAuto && config.attach != program->program.mode())
    return {EEXIST, "mode of the shared program"};
  if (const Status s = insert_queues(program.get()); !s.ok()) return s;
  program_ = program;
  program_is_ours_ = true;
  generation_ = program->generation;
  return {};
}

Status XdpSocket::insert_queues(SharedProgram* program) {
  size_t inserted = 0;
  for (const auto& queue : queues_) {
    if (const Status s = program->program.insert(queue->id(), queue->fd()); !s.ok()) {
      while (inserted-- > 0) (void)program->program.remove(queues_[inserted]->id());
      return s;
    }
    ++inserted;
  }
  return {};
}

// What the hardware has done to a frame before it reaches XDP goes with the metadata that XDP does not have.
void XdpSocket::warn_of_offloads() {
  const OffloadFlags offloads = read_offloads(link_.fd(), link_.info().name);
  const std::string& name = link_.info().name;
  // A veth takes what its other end hands over beside the frame, whatever its own setting.
  if (read_driver(link_.fd(), name) == "veth")
    warnings_.push_back("VLAN tags that the other end of " + name +
                        " hands over beside the frame are lost to XDP: ethtool -K ... txvlan off at the other end");
  else if (offloads.vlan_stripping)
    warnings_.push_back("VLAN tags that " + name + " takes out (rxvlan) are lost to XDP: ethtool -K " + name +
                        " rxvlan off");
  if (offloads.large_receive)
    warnings_.push_back(name + " joins frames (lro), which XDP does not get then: ethtool -K " + name + " lro off");
}

XdpSocket::~XdpSocket() {
  if (!program_) return;
  for (const auto& queue : queues_) (void)program_->program.remove(queue->id());
}

XdpProgram::Attach XdpSocket::attach_mode() const {
  return program_is_ours_ ? program_->program.mode() : XdpProgram::Attach::kNone;
}

bool XdpSocket::attached() const { return !program_is_ours_ || program_->program.attached(); }

uint32_t XdpSocket::find_batch() {
  if (batch_frames_ != 0) return batch_frames_;
  for (size_t i = 0; i < queues_.size(); ++i) {
    // Another queue each time, so that a busy one does not keep the others waiting.
    batch_queue_ = batch_queue_ + 1 >= queues_.size() ? 0 : batch_queue_ + 1;
    XdpQueue& queue = *queues_[batch_queue_];
    const uint32_t most = std::clamp(queue.umem()->geometry().receiving / 4, 1U, kMostFrames);
    batch_frames_ = queue.received(most);
    batch_full_ = batch_frames_ == most;
    if (batch_frames_ != 0) break;
    queue.wake_receiver();
  }
  return batch_frames_;
}

XdpReader XdpSocket::reader() {
  if (program_ && generation_ != program_->generation) {
    generation_ = program_->generation;
    // All that is in the ring, and what was under way to it when the program was swapped.
    for (size_t i = 0; i < queues_.size(); ++i) refilter_[i] = 2 * queues_[i]->umem()->geometry().receiving;
  }
  XdpReader reader;
  reader.address = link_.info().address;
  reader.interface_index = static_cast<uint32_t>(link_.info().index);
  reader.link_type = link_.info().link_type;
  reader.queue = queues_[batch_queue_]->id();
  if (refilter_[batch_queue_] != 0) reader.refilter = program_->filter;
  return reader;
}

uint32_t XdpSocket::account(const XdpCount& read, BatchHeader* header) {
  header->sequence_low = static_cast<uint32_t>(batches_);
  header->sequence_high = static_cast<uint32_t>(batches_ >> 32);
  // As with a block that its timeout has retired: there were no more frames at the time.
  header->flags = batch_full_ ? 0 : BatchHeader::kTimedOut;
  if (read.packets != 0) ++batches_;
  totals_.packets += read.packets;
  totals_.bytes += read.bytes;
  totals_.refiltered += read.refiltered;
  return read.packets;
}

uint32_t XdpSocket::index_batch(BatchHeader* header, PacketRecord* records, Span* span) {
  XdpQueue& queue = *queues_[batch_queue_];
  *span = queue.span(&batch_frames_);
  const XdpCount read = queue.index(batch_frames_, span->begin, reader(), header, records);
  lent_ = batch_frames_;
  return account(read, header);
}

uint32_t XdpSocket::copy_batch(BatchHeader* header, PacketRecord* records, uint8_t* bytes, uint32_t capacity) {
  XdpQueue& queue = *queues_[batch_queue_];
  const XdpCount read = queue.copy(batch_frames_, reader(), header, records, bytes, capacity);
  refilter_[batch_queue_] -= std::min(refilter_[batch_queue_], batch_frames_);
  batch_frames_ = 0;
  return account(read, header);
}

void XdpSocket::release_batch() {
  refilter_[batch_queue_] -= std::min(refilter_[batch_queue_], batch_frames_);
  queues_[batch_queue_]->release(batch_frames_);
  batch_frames_ = 0;
  lent_ = 0;
}

Result<bool> XdpSocket::wait(int timeout_ms) {
  const int64_t deadline = monotonic_ms() + timeout_ms;
  while (find_batch() == 0) {
    if (link_.gone()) return Status{ENODEV, "poll"};
    const int64_t rest = timeout_ms < 0 ? -1 : std::max<int64_t>(deadline - monotonic_ms(), 0);
    pollfd polled[2] = {{fd(), POLLIN, 0}, {link_.fd(), POLLIN, 0}};
    const int ready = ::poll(polled, 2, static_cast<int>(rest));
    if (ready < 0 && errno != EINTR) return Status::failed("poll");
    if (ready == 0) return find_batch() != 0;
    if (ready > 0 && polled[1].revents != 0) link_.update();
  }
  return true;
}

SendResult XdpSocket::flush() {
  if (const int error = link_.send_error(); error != 0) {
    SendResult result;
    result.error = error;
    return result;
  }
  return sender().flush();
}

SendResult XdpSocket::send(const FrameSource& frames, uint32_t first, uint32_t end) {
  SendResult result;
  result.error = link_.send_error();
  if (result.error != 0) return result;
  result = sender().send(frames, first, end, limit());
  rejected_ += result.rejected;
  return result;
}

Status XdpSocket::set_filter(std::vector<sock_filter> program, std::string* detail) {
  if (!program_is_ours_) return {EOPNOTSUPP, "filter"};
  if (const Status s = program_->program.replace(program); !s.ok()) {
    *detail = program_->program.last_log();
    return s;
  }
  program_->filter = std::move(program);
  ++program_->generation;
  return {};
}

XdpTotals XdpSocket::totals() {
  XdpTotals totals = totals_;
  for (const auto& queue : queues_) {
    queue->add_statistics(&totals.kernel);
    totals.waiting += queue->received(UINT32_MAX);
    totals.sent += queue->sent();
    totals.sent_bytes += queue->sent_bytes();
    totals.send_errors += queue->send_errors();
    totals.unsent += queue->unsent();
  }
  totals.rejected = rejected_;
  totals.waiting -= lent_;
  return totals;
}

}  // namespace netring
