// The network namespace that a caller names, as two fields of an object.
#ifndef NETRING_ADDON_NAMESPACE_ARGUMENT_H_
#define NETRING_ADDON_NAMESPACE_ARGUMENT_H_

#include <napi.h>

#include <string>

#include "arguments.h"
#include "network_namespace.h"

namespace netring {

struct NamespaceArgument {
  std::string path;   // of a file of nsfs; empty: the process's own
  std::string shown;  // what errors call it

  // False with an exception pending.
  bool read(const Napi::Object& object) {
    ConfigReader reader(object);
    return reader.read("netnsPath", &path) && reader.read("netns", &shown);
  }
};

}  // namespace netring

#endif  // NETRING_ADDON_NAMESPACE_ARGUMENT_H_
