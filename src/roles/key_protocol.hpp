// What server and keys say to each other over a socket that keeps messages apart (SOCK_SEQPACKET): binary, every part
// behind its length, nothing to be parsed but that. Numbers are big-endian.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/bytes.hpp"
#include "crypto/private_keys.hpp"

namespace facteur::roles {

constexpr std::size_t longest_message = 128 * 1024;
constexpr std::size_t longest_input = 2048;  // Of an operation: RSA keys of 16384 bits.

// "Which certificates are there?" The keys are read again if their files changed.
struct AskCertificates {
  friend bool operator==(const AskCertificates&, const AskCertificates&) = default;
};
struct AskUse {
  crypto::KeyId key{};
  crypto::KeyOperation operation{};
  std::string input;
  friend bool operator==(const AskUse&, const AskUse&) = default;
};

struct KeyRequest {
  std::uint64_t number = 0;  // Comes back in the reply: late replies to a question that was given up are known by it.
  std::variant<AskCertificates, AskUse> what;
  friend bool operator==(const KeyRequest&, const KeyRequest&) = default;
};

struct KeyReply {
  std::uint64_t number = 0;
  bool good = false;
  std::vector<std::string> parts;  // Chains (PEM), the result of an operation, or why not.
  friend bool operator==(const KeyReply&, const KeyReply&) = default;
};

std::string write(const KeyRequest& request);
std::string write(const KeyReply& reply);
// Nothing if it is not such a message, whole and without more behind it.
std::optional<KeyRequest> read_request(Bytes message);
std::optional<KeyReply> read_reply(Bytes message);

}  // namespace facteur::roles
