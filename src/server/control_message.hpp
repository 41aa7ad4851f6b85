// One request or reply of the control socket: JSON, and what is too large for JSON (messages).
//
// On the wire: four octets of length (big-endian), then so many of JSON. With the highest bit of the length set, four
// octets of another length follow the JSON, and so many octets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "store/key.hpp"

namespace facteur::server {

inline constexpr std::size_t longest_control_request = 1024 * 1024;     // Of the JSON.
inline constexpr std::size_t longest_control_octets = 8 * 1024 * 1024;  // Of what follows it.
inline constexpr std::uint32_t octets_follow = 0x80000000;

struct ControlMessage {
  std::string json;
  std::string octets;
};

inline std::string framed(const ControlMessage& message) {
  if (message.octets.empty()) return store::Key().string(message.json).take();
  store::Key out;
  out.u32(static_cast<std::uint32_t>(message.json.size()) | octets_follow).raw(message.json);
  return out.string(message.octets).take();
}

}  // namespace facteur::server
