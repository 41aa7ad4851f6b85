// Whatever comes over the socket: no crash, and what is read can be written again.
#include <cstdlib>

#include "roles/key_protocol.hpp"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* octets, std::size_t size) {
  using namespace facteur;
  const Bytes message(reinterpret_cast<const char*>(octets), size);
  if (const auto request = roles::read_request(message); request && roles::write(*request) != message) std::abort();
  if (const auto reply = roles::read_reply(message); reply && roles::write(*reply) != message) std::abort();
  return 0;
}
