// The virtual cable of the sandbox, made by rtnetlink: no `ip` program is needed.
#ifndef NETRING_SANDBOX_WIRE_H_
#define NETRING_SANDBOX_WIRE_H_

#include "../core/result.h"

namespace netring {

// Brings the interface up.
Status bring_up(const char* name);

// Makes a pair of virtual Ethernet interfaces that are silent until somebody sends.
Status make_wire(const char* a, const char* b);

}  // namespace netring

#endif  // NETRING_SANDBOX_WIRE_H_
