#include "base/assert.hpp"

#include <cstdio>
#include <cstdlib>
#include <string>

namespace facteur {

void assertion_failed(const char* condition, const char* file, int line) noexcept {
  std::fprintf(stderr, "facteur: assertion failed: %s (%s:%d)\n", condition, file, line);
  std::abort();
}

void check_failed(const char* condition, const char* file, int line) {
  throw Bug(std::string(condition) + " (" + file + ":" + std::to_string(line) + ")");
}

}  // namespace facteur
