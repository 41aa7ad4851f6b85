// What Injection has put in force on this thread. Included by .cpp files of crypto/ only.
#pragma once

#include <optional>

#include "base/time.hpp"

namespace facteur::crypto {

struct Injected {
  static std::optional<UtcTime> today();              // The time to judge certificates at; nullopt: the real one.
  static int fill(unsigned char* octets, int count);  // As RAND_METHOD::bytes.
};

}  // namespace facteur::crypto
