// Private namespaces for an ordinary user.
#ifndef NETRING_SANDBOX_ISOLATION_H_
#define NETRING_SANDBOX_ISOLATION_H_

#include <string>

#include "../core/result.h"

namespace netring {

// Moves the process into network and mount namespaces of its own. Who may not do that becomes root of a user namespace
// first, in which he may.
Status isolate();

// What to do about a refusal.
std::string remedy(const Status& refusal);

}  // namespace netring

#endif  // NETRING_SANDBOX_ISOLATION_H_
