// What a bridge counts.
#ifndef NETRING_CORE_BRIDGE_COUNTERS_H_
#define NETRING_CORE_BRIDGE_COUNTERS_H_

#include "../counter.h"

namespace netring {

// Every frame that the receiver was given is counted in exactly one of forwarded, filtered, too_large, ring_full,
// errors and kernel_drops, and in received before it is in one of those. The rest are beside this sum.
struct DirectionCounters {
  Counter received;      // handed to us by the kernel
  Counter bytes;         // of those, on the wire
  Counter forwarded;     // taken by the kernel of the other port
  Counter filtered;      // held back by the filter or a verdict, or as link-local
  Counter too_large;     // longer than the other port's MTU allows
  Counter ring_full;     // the other port took nothing for too long
  Counter errors;        // the other port was down or refused the frame
  Counter kernel_drops;  // no room in the ring, or not for the whole of a super-frame
  Counter tap_shed;      // frames that the tap was to see and had no room for
  Counter timed_out;     // frames whose verdict did not come in time
  Counter forwarded_bytes;
  Counter wire;  // frames that the kernel had for us, those it dropped included, as of its last reading
};

}  // namespace netring

#endif  // NETRING_CORE_BRIDGE_COUNTERS_H_
