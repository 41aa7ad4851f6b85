// Times as operators read them.
#pragma once

#include <string>

#include "base/time.hpp"

namespace facteur::observe {

// RFC 3339: "2026-11-20T18:30:09.123Z"; years 0 to 9999.
std::string to_iso8601(UtcTime time);

}  // namespace facteur::observe
