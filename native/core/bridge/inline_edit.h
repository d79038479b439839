// Frames that a flow has changed on their way through an inline bridge.
#ifndef NETRING_CORE_BRIDGE_INLINE_EDIT_H_
#define NETRING_CORE_BRIDGE_INLINE_EDIT_H_

#include <cstdint>
#include <span>

#include "../vnet_header.h"

namespace netring {

// Makes the checksums of a changed frame fit its bytes. `header` is that of the original and becomes that of the frame:
// a super-frame stays one, with the sum of its pseudo header for the egress to begin from; what else the sender had
// left to its hardware is finished here. False for a super-frame that is no message of its kind any more, which no
// egress could cut.
bool finish_edit(VnetHeader* header, std::span<uint8_t> frame);

}  // namespace netring

#endif  // NETRING_CORE_BRIDGE_INLINE_EDIT_H_
